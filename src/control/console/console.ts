/**
 * The console: a page and a JSON API over views that others make. It knows HTTP and HTML and nothing of Consul, xDS or
 * translation. It only reads; it listens on loopback by default, answers only to names it expects (a page on another
 * site cannot read it by DNS rebinding), allows no other origin, and escapes whatever it shows.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIP, isIPv4 } from 'node:net';
import { metricsText } from './metrics-text.ts';
import { overviewPage } from './overview-page.ts';
import type { ConsoleViews } from './views.ts';

export type {
  ConsoleViews,
  CounterReading,
  IntentionsView,
  LoadView,
  Overview,
  ProblemView,
  ProxyDetail,
  ServicesView,
  SidecarView,
  TypeView,
  WatchView,
} from './views.ts';

export interface ConsoleOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Names beside IP addresses and localhost that a Host header may carry. */
  readonly hostNames: readonly string[];
  readonly views: ConsoleViews;
}

export interface RunningConsole {
  readonly port: number;
  stop(): Promise<void>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;
const PROXY_PATH = '/api/proxies/';

interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Rejects when the address cannot be bound, naming it and the fix. */
export async function startConsole(options: ConsoleOptions): Promise<RunningConsole> {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => void answer(options, request, response));
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => close(server),
  };
}

async function answer(options: ConsoleOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  const page = await pageFor(options, request).catch((error: unknown) => ({
    status: 500,
    contentType: 'text/plain; charset=utf-8',
    body: `the console failed: ${error instanceof Error ? error.message : String(error)}\n`,
  }));
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}

async function pageFor({ views, hostNames }: ConsoleOptions, request: IncomingMessage): Promise<Page> {
  if (!isExpectedHost(request.headers.host, hostNames)) {
    return text(
      403,
      'this console is not served under that host name; use an IP address, localhost, or allow the name\n',
    );
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'the console only reads: use GET\n');
  const path = new URL(request.url ?? '/', 'http://console').pathname;
  if (path === '/') return html(overviewPage(await views.overview()));
  if (path === '/api/overview') return json(200, await views.overview());
  if (path === '/metrics')
    return { ...text(200, metricsText(views.counters())), contentType: 'text/plain; version=0.0.4' };
  if (path === '/ready') return text(200, `${views.readiness().toUpperCase()}\n`);
  if (path.startsWith(PROXY_PATH)) return proxyPage(views, path.slice(PROXY_PATH.length));
  return text(404, 'unknown path; there are /, /api/overview, /api/proxies/<id>, /metrics and /ready\n');
}

function proxyPage(views: ConsoleViews, encodedId: string): Page {
  const id = decoded(encodedId);
  const detail = id === undefined ? undefined : views.proxy(id);
  return detail === undefined ? json(404, { error: 'no proxy of that id is connected here' }) : json(200, detail);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** An IP address cannot be rebound by DNS, and localhost is ours; any other name must have been allowed. */
function isExpectedHost(header: string | undefined, hostNames: readonly string[]): boolean {
  if (header === undefined || !URL.canParse(`http://${header}`)) return false;
  const { hostname } = new URL(`http://${header}`);
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIPv4(bare) || isIP(bare) === 6 || bare === 'localhost' || hostNames.includes(bare);
}

function text(status: number, body: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

function html(body: string): Page {
  return { status: 200, contentType: 'text/html; charset=utf-8', body };
}

function json(status: number, value: unknown): Page {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function listen(server: Server, { host, port }: ConsoleOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new Error(`console: cannot listen on ${host}:${port}: ${error.message}; free the port or give another`));
    });
    server.listen(port, host, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
