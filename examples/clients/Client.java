// Java, spymemcached: java -cp spymemcached.jar Client.java HOST:PORT
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.FailureMode;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.OperationTimeoutException;

public class Client {
    static MemcachedClient cache;
    static String source;

    static String fromDatabase(int number) { return "product " + number; }

    static String product(int number) throws Exception {
        String key = "product:" + number;
        try {
            Object found = cache.asyncGet(key).get(500, TimeUnit.MILLISECONDS);
            if (found != null) { source = "hit"; return (String) found; }
        } catch (Exception down) {
            source = "down";
            return fromDatabase(number);
        }
        String fresh = fromDatabase(number);
        cache.set(key, 60, fresh).get();
        source = "miss";
        return fresh;
    }

    public static void main(String[] arguments) throws Exception {
        String[] address = arguments[0].split(":");
        // Its own log says on standard error what is handled here.
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        Logger.getLogger("net.spy.memcached").setLevel(Level.OFF);
        cache = new MemcachedClient(
            // Cancel: without a server an operation fails at once, instead of waiting for it.
            new ConnectionFactoryBuilder().setFailureMode(FailureMode.Cancel).setOpTimeout(500).build(),
            List.of(new InetSocketAddress(address[0], Integer.parseInt(address[1]))));
        for (String turn : List.of("first", "second")) {
            String answer = product(7);
            if (!answer.equals("product 7")) throw new IllegalStateException(answer);
            System.out.println(turn + ": " + source);
        }
        if (source.equals("hit")) {
            cache.set("visits", 0, "41").get();
            System.out.println("visits: " + cache.incr("visits", 1));
            cache.set("a", 60, "1").get();
            cache.set("b", 60, "2").get();
            System.out.println("many: " + cache.getBulk("a", "b", "none").size());
            System.out.println("deleted: " + cache.delete("product:7").get());
        }
        cache.shutdown();
    }
}
