<?php
// PHP, the extension memcached (libmemcached): php client.php HOST:PORT

[$host, $port] = explode(":", $argv[1]);
$cache = new Memcached();
$cache->addServer($host, (int) $port);
$cache->setOption(Memcached::OPT_CONNECT_TIMEOUT, 200);
$cache->setOption(Memcached::OPT_RECV_TIMEOUT, 200000);
$cache->setOption(Memcached::OPT_SEND_TIMEOUT, 200000);

function from_database(int $number): array { return ["name" => "product $number"]; }

function product(Memcached $cache, int $number): array {
    $key = "product:$number";
    $found = $cache->get($key);
    if ($cache->getResultCode() === Memcached::RES_SUCCESS) return [$found, "hit"];
    $fresh = from_database($number);
    if ($cache->getResultCode() !== Memcached::RES_NOTFOUND) return [$fresh, "down"];
    $cache->set($key, $fresh, 60);
    return [$fresh, "miss"];
}

foreach (["first", "second"] as $turn) {
    [$answer, $source] = product($cache, 7);
    if ($answer !== ["name" => "product 7"]) exit(1);
    echo "$turn: $source\n";
}
if ($source === "hit") {
    $cache->set("visits", 41);
    echo "visits: ", $cache->increment("visits"), "\n";
    $cache->setMulti(["a" => "1", "b" => "2"], 60);
    echo "many: ", count($cache->getMulti(["a", "b", "none"])), "\n";
    echo "deleted: ", $cache->delete("product:7") ? "true" : "false", "\n";
}
