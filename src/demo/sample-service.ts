/**
 * One sample service of the demo: an ordinary HTTP application that registers itself with Consul, calls other services through
 * its sidecar's local ports, is sometimes slow and sometimes wrong. It knows Consul's HTTP API and its upstreams' local ports; it
 * does not know that there is a mesh.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom, systemRandom } from '../base/random.ts';
import { drawLatencyMs } from './latency.ts';
import { deregister, register } from './registration.ts';
import {
  readSampleServiceOptions,
  type SampleServiceInput,
  type SampleServiceOptions,
} from './sample-service-options.ts';
import {
  APP_ERROR_HEADER,
  type CallResult,
  callUpstream,
  createCallAgent,
  propagatedHeaders,
} from './upstream-call.ts';

export type { SampleServiceInput } from './sample-service-options.ts';

export interface RunningSampleService {
  /** Deregisters, serves what still comes for a moment, then ends. */
  stop(): Promise<void>;
}

const CALL_TIMEOUT_MS = 5_000;
/** Consul may start a moment after its services. */
const REGISTER_ATTEMPTS = 50;
const REGISTER_PAUSE_MS = 200;
const CLOSE_TIMEOUT_MS = 2_000;

/** Resolves when the service answers and Consul knows it. */
export async function runSampleService(given: SampleServiceInput): Promise<RunningSampleService> {
  const options = readSampleServiceOptions(given);
  const random = options.seed === undefined ? systemRandom : seededRandom(options.seed);
  const agent = createCallAgent();
  const ports = new Map(options.upstreams.map((upstream) => [upstream.name, upstream.localPort]));
  const call = (name: string, headers: Record<string, string>): Promise<CallResult> =>
    callUpstream(agent, { port: ports.get(name) ?? 0, path: '/', service: name, headers, timeoutMs: CALL_TIMEOUT_MS });
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === '/health') response.end('ok\n');
    else void answer(options, random, call, request, response);
  });
  await listen(server, options);
  try {
    await registerPatiently(options);
  } catch (error) {
    server.close();
    throw error;
  }
  return {
    async stop() {
      // A registry that is gone forgets this service by itself; ending must not hang on it.
      await deregister(options.registryUrl, options.instance).catch(() => undefined);
      await delay(options.drainMs);
      await closeServer(server);
      agent.destroy();
    },
  };
}

type CallByName = (name: string, headers: Record<string, string>) => Promise<CallResult>;

async function answer(
  options: SampleServiceOptions,
  random: Random,
  call: CallByName,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on('error', () => undefined);
  const latencyMs = drawLatencyMs(options.latency, random);
  if (latencyMs > 0) await delay(latencyMs);
  response.setHeader('x-demo-instance', options.instance);
  if (random.next() < options.errorRate) {
    respond(response, 500, { service: options.name, error: 'a deliberate error of the demo' }, options.name);
    return;
  }
  const headers = propagatedHeaders(request.headers);
  for (const stage of options.stages) {
    const results = await Promise.all(stage.map((name) => call(name, headers)));
    const failed = results.find((result) => result.kind === 'failed') ?? results.find((result) => result.kind !== 'ok');
    if (failed?.kind === 'failed') {
      respond(response, 502, { service: options.name, error: failed.reason });
      return;
    }
    if (failed?.kind === 'app-error') {
      respond(response, 500, { service: options.name, error: `${failed.service} failed` }, failed.service);
      return;
    }
  }
  respond(response, 200, { service: options.name, instance: options.instance });
}

function respond(response: ServerResponse, status: number, body: object, appError?: string): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(appError === undefined ? {} : { [APP_ERROR_HEADER]: appError }),
  });
  response.end(text);
}

async function registerPatiently(options: SampleServiceOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await register(options.registryUrl, options);
      return;
    } catch (error) {
      if (attempt >= REGISTER_ATTEMPTS) throw error;
      await delay(REGISTER_PAUSE_MS);
    }
  }
}

function listen(server: Server, options: SampleServiceOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `${options.instance}: cannot listen on 127.0.0.1:${options.port}: ${cause.message}; choose another port`;
      reject(new Error(message, { cause }));
    });
    server.listen(options.port, '127.0.0.1', resolve);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  await Promise.race([closed, delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  server.closeAllConnections();
}
