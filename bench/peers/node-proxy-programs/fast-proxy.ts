import { createServer } from 'node:http';
import fastProxy from 'fast-proxy';

const [port, originPort] = process.argv.slice(2).map(Number);
const forwarder = fastProxy({ base: `http://127.0.0.1:${originPort}` });
createServer((request, response) => forwarder.proxy(request, response, request.url ?? '/', {})).listen(
  port,
  '127.0.0.1',
);
