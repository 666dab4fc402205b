import { Agent, request as clientRequest, createServer } from 'node:http';

const [port, originPort] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
createServer((request, response) => {
  const upstream = clientRequest(
    { host: '127.0.0.1', port: originPort, agent, method: request.method, path: request.url, headers: request.headers },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  upstream.on('error', () => response.destroy());
  request.pipe(upstream);
}).listen(port, '127.0.0.1');
