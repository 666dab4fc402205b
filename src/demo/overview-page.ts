/** The demo's own page: what runs, where to look, how the load fares. Plain HTML, read-only, for this machine only. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { TraceSummary } from '../telemetry/otlp-receiver/otlp-receiver.ts';
import type { LoadCounts } from './load-generator.ts';
import { type MeshPlan, sidecarsOf } from './plan.ts';

export interface OverviewViews {
  readonly plan: MeshPlan;
  loadCounts(): LoadCounts | undefined;
  recentTraces(): readonly TraceSummary[];
  /** What each sidecar has of its configuration, by proxy id; empty where the control server does not answer. */
  configStates(): Promise<ReadonlyMap<string, string>>;
  /** Where traces can be read: the built-in receiver's API or the user's collector. */
  readonly tracesUrl: string;
}

export interface RunningOverview {
  stop(): Promise<void>;
}

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  'x-content-type-options': 'nosniff',
};
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 64;
const LOCAL_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

export async function startOverview(port: number, views: OverviewViews): Promise<RunningOverview> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    request.resume();
    // A foreign page that resolves its own name to this machine must not read this one.
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (!LOCAL_HOSTS.has(host)) response.writeHead(403).end('this page answers to 127.0.0.1 and localhost only\n');
    else if (request.url === '/health') response.end('ok\n');
    else if (request.method !== 'GET' || request.url !== '/') response.writeHead(404).end();
    else {
      void views.configStates().then((states) => {
        response.writeHead(200, PAGE_HEADERS);
        response.end(overviewHtml(views, states));
      });
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export function overviewHtml(views: OverviewViews, states: ReadonlyMap<string, string>): string {
  const { plan } = views;
  const console = `http://127.0.0.1:${plan.ports.console}/`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>Weft demo</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}</style>
<h1>Weft demo</h1>
<p>${link(console, 'control server')} · ${link(`${plan.registryUrl}/v1/catalog/services`, 'Consul catalog')} · ${link(views.tracesUrl, 'traces')}</p>
<h2>Load</h2>${loadHtml(views.loadCounts())}
<h2>Services</h2><table><tr><th>instance<th>calls<th>remark<th>application<th>sidecar's admin<th>its configuration</tr>${instancesHtml(plan, states)}</table>
<h2>Last traces</h2><table><tr><th>trace<th>root<th>spans<th>milliseconds<th>errors<th>calls at the same time</tr>${tracesHtml(views)}</table>
</html>
`;
}

function loadHtml(counts: LoadCounts | undefined): string {
  if (counts === undefined) return '<p>not started yet</p>';
  return `<p>${counts.total} requests, ${counts.failed} failed, ${counts.appErrors} errors of the services' own, p50 ${counts.p50Ms} ms, p99 ${counts.p99Ms} ms</p>`;
}

function instancesHtml(plan: MeshPlan, states: ReadonlyMap<string, string>): string {
  const stateOf = (proxyId: string): string => escapeHtml(states.get(proxyId) ?? 'not connected');
  const rows = plan.instances.map(({ spec, options, sidecar }) => {
    const calls = spec.stages.map((stage) => stage.join(' + ')).join(', then ');
    const admin = link(`http://127.0.0.1:${sidecar.adminPort}/`, sidecar.proxyId);
    return `<tr><td>${escapeHtml(options.instance)}<td>${escapeHtml(calls)}<td>${escapeHtml(spec.remark)}<td>127.0.0.1:${options.port}<td>${admin}<td>${stateOf(sidecar.proxyId)}</tr>`;
  });
  const load = sidecarsOf(plan).at(-1);
  if (load !== undefined) {
    rows.push(
      `<tr><td>load<td>storefront<td>this program<td>127.0.0.1:${plan.ports.overview}<td>${link(`http://127.0.0.1:${load.adminPort}/`, load.proxyId)}<td>${stateOf(load.proxyId)}</tr>`,
    );
  }
  return rows.join('');
}

function tracesHtml(views: OverviewViews): string {
  return views
    .recentTraces()
    .map(
      (trace) =>
        `<tr><td><code>${escapeHtml(trace.traceId)}</code><td>${escapeHtml(`${trace.rootService} ${trace.rootName}`)}<td>${trace.spans}<td>${trace.durationMs}<td>${trace.errors}<td>${trace.concurrent ? 'yes' : 'no'}</tr>`,
    )
    .join('');
}

function link(url: string, text: string): string {
  return `<a href="${escapeHtml(url)}">${escapeHtml(text)}</a>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
