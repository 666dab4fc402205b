import { Agent } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, originPort] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
createProxyServer({ target: `http://127.0.0.1:${originPort}`, agent }).listen(port ?? 0, '127.0.0.1');
