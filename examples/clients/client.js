// Node, memjs (binary protocol): node client.js HOST:PORT
const memjs = require("memjs");

const cache = memjs.Client.create(process.argv[2], {
  timeout: 0.2, conntimeout: 0.2, retries: 0, failover: false,
  // Failures are handled below, not printed.
  logger: { log() {} },
});

const fromDatabase = (number) => ({ name: `product ${number}` });

async function product(number) {
  const key = `product:${number}`;
  let found;
  try {
    found = (await cache.get(key)).value;
  } catch {
    return [fromDatabase(number), "down"];
  }
  if (found) return [JSON.parse(found), "hit"];
  const fresh = fromDatabase(number);
  await cache.set(key, JSON.stringify(fresh), { expires: 60 });
  return [fresh, "miss"];
}

async function main() {
  let source;
  for (const turn of ["first", "second"]) {
    let answer;
    [answer, source] = await product(7);
    if (answer.name !== "product 7") throw new Error(answer.name);
    console.log(`${turn}: ${source}`);
  }
  if (source === "hit") {
    await cache.set("visits", "41", {});
    console.log("visits:", (await cache.increment("visits", 1, {})).value);
    await Promise.all([cache.set("a", "1", { expires: 60 }), cache.set("b", "2", { expires: 60 })]);
    // memjs has no multi-get; requests that are under way together share the connection.
    const many = await Promise.all(["a", "b", "none"].map((key) => cache.get(key)));
    console.log("many:", many.filter((found) => found.value).length);
    console.log("deleted:", await cache.delete("product:7"));
  }
  cache.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
