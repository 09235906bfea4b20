// The Node bridge as people write it: one http server, one keep-alive agent, pipes.
// node node_bridge.mjs PORT UPSTREAM_PORT; the token comes in PROXY_TOKEN
import http from "node:http";

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true });

http.createServer((request, answer) => {
  const headers = { ...request.headers, "x-proxy-token": process.env.PROXY_TOKEN };
  delete headers.authorization;
  delete headers.host;
  const target = { host: "127.0.0.1", port: upstreamPort, method: request.method, path: request.url, headers, agent };
  const onward = http.request(target, (incoming) => {
    answer.writeHead(incoming.statusCode, incoming.headers);
    incoming.pipe(answer);
  });
  onward.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
  answer.on("close", () => answer.writableFinished || onward.destroy());
  request.pipe(onward);
}).listen(port, "127.0.0.1", 2048);
