import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** / answers at once, /slow in two parts with four seconds between; no shutdown hook. */
public class Server {
    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 8000), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 0);
            if (exchange.getRequestURI().getPath().equals("/slow")) {
                exchange.getResponseBody().write("begun\n".getBytes());
                exchange.getResponseBody().flush();
                try {
                    Thread.sleep(4000);
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
            exchange.getResponseBody().write("served\n".getBytes());
            exchange.close();
        });
        server.start();
    }
}
