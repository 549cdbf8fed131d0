// / answers at once, /slow in two parts with some seconds between. It has no handler for any signal, as most have none.
require("http").createServer((request, response) => {
  if (request.url !== "/slow") return response.end("served\n");
  response.write("begun\n");
  setTimeout(() => response.end("served\n"), 4000);
}).listen(8000, "127.0.0.1");
