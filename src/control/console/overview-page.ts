import { html, SafeHtml } from './html.ts';
import type {
  ConsulView,
  IntentionsView,
  LoadView,
  Overview,
  ProblemView,
  ServicesView,
  SidecarView,
  TypeView,
  XdsTotals,
} from './views.ts';

/** Watches shown one by one; a big mesh has thousands, and those in trouble come first. */
const MAX_WATCHES_SHOWN = 50;
const MAX_TRACES_SHOWN = 20;
const MAX_LOADS_SHOWN = 50;

const STYLE =
  new SafeHtml(`body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b2733;background:#fbfcfd}
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%;background:#fff;border:1px solid #dde4ea}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #eef2f5;vertical-align:top}
th{font-weight:600;color:#52616f;font-size:.85rem}code{font:13px ui-monospace,monospace}
.good{color:#0a7a43}.warn{color:#9a6200}.bad{color:#b3261e}.muted{color:#6b7985}
@media (prefers-color-scheme:dark){body{background:#12181e;color:#dfe7ee}table{background:#182028;border-color:#2a3641}
th,td{border-color:#232e38}th,.muted{color:#93a3b1}.good{color:#4cc38a}.warn{color:#e2a336}.bad{color:#ff7a70}}`);

/** The state of the mesh on one page, made on the server; it works without scripts. */
export function overviewPage(overview: Overview): string {
  const page = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Weft</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5"><style>${STYLE}</style></head><body>
<h1>Weft control server</h1>
${consulLine(overview.consul)}
${totalsLine(overview.xds, overview.sidecars.length)}
<h2>Problems</h2>${problemsTable(overview.problems)}
<h2>Sidecars</h2>${sidecarsTable(overview.sidecars)}
<h2>Services</h2>${servicesTable(overview.services)}
${intentionsSection(overview.intentions)}
${loadsSection(overview.loads)}
${tracesSection(overview.recentTraces)}
<h2>Watches on Consul</h2>${watchesTable(overview.consul)}
</body></html>`;
  return page.text;
}

function consulLine(consul: ConsulView): SafeHtml {
  if (consul.state === 'up') {
    return html`<p>Consul at <code>${consul.address}</code> <span class="good">answers</span>, leader <code>${consul.leader}</code>.</p>`;
  }
  const state = consul.state === 'down' ? 'does not answer; proxies keep what they have' : 'has not been asked yet';
  return html`<p>Consul at <code>${consul.address}</code> <span class="bad">${state}</span> <span class="muted">${consul.error}</span></p>`;
}

function totalsLine(xds: XdsTotals, sidecars: number): SafeHtml {
  return html`<p class="muted">${sidecars} streams connected; ${xds.acknowledged} configurations accepted, ${xds.rejected} refused, ${xds.responses} sent since the start.</p>`;
}

function problemsTable(problems: readonly ProblemView[]): SafeHtml {
  if (problems.length === 0) return html`<p class="good">None.</p>`;
  const rows = problems.map(
    ({ severity, where, message }) =>
      html`<tr><td class="${severity === 'error' ? 'bad' : 'warn'}">${severity}</td><td>${where}</td><td>${message}</td></tr>`,
  );
  return html`<table><tr><th></th><th>Where</th><th>What</th></tr>${rows}</table>`;
}

function sidecarsTable(sidecars: readonly SidecarView[]): SafeHtml {
  if (sidecars.length === 0) return html`<p class="muted">No sidecar is connected.</p>`;
  const rows = sidecars.map(
    (sidecar) =>
      html`<tr><td><code>${sidecar.id}</code></td><td>${sidecar.service}</td><td>${sidecar.types.map(typeCell)}</td>
<td class="muted">${sidecar.userAgent} ${sidecar.variant}</td><td class="muted">${sidecar.connectedAt}</td></tr>`,
  );
  return html`<table><tr><th>Proxy</th><th>Service</th><th>Configuration</th><th>Client</th><th>Connected</th></tr>${rows}</table>`;
}

function typeCell({ type, sync, detail }: TypeView): SafeHtml {
  const tone = sync === 'SYNCED' ? 'good' : sync === 'STALE' ? 'warn' : 'bad';
  return html`<div>${type} <span class="${tone}">${sync}</span> <span class="muted">${detail}</span></div>`;
}

function servicesTable(view: ServicesView): SafeHtml {
  if (view.state === 'unavailable') return html`<p class="bad">Consul did not say: ${view.error}</p>`;
  const rows = view.services.map(({ name, health, instances }) => {
    const shown = instances.map(
      (instance) =>
        html`<div><code>${instance.id}</code> <span class="muted">${instance.address}:${instance.port} on ${instance.node}</span>
<span class="${instance.health === 'passing' ? 'good' : instance.health === 'warning' ? 'warn' : 'bad'}">${instance.health}</span></div>`,
    );
    return html`<tr><td>${name}</td><td>${health.passing} of ${instances.length}</td><td>${shown}</td></tr>`;
  });
  return html`<table><tr><th>Service</th><th>Passing</th><th>Instances</th></tr>${rows}</table>`;
}

function intentionsSection(views: readonly IntentionsView[]): SafeHtml {
  const told = views.filter(({ rules, defaultPolicy }) => rules.length > 0 || defaultPolicy === 'deny');
  if (told.length === 0) return html``;
  const rows = told.map(({ service, rules, defaultPolicy, enforced }) => {
    const shown = rules.map(
      ({ source, decision, modifyIndex }) =>
        html`<div><code>${source}</code> ${decision} <span class="muted">ModifyIndex ${modifyIndex}</span></div>`,
    );
    return html`<tr><td>${service}</td><td>${shown}<div class="muted">otherwise ${defaultPolicy}</div></td>
<td class="${enforced ? 'good' : 'warn'}">${enforced ? 'enforced' : 'not enforced'}</td></tr>`;
  });
  return html`<h2>Intentions</h2><table><tr><th>Calls to</th><th>From</th><th></th></tr>${rows}</table>`;
}

/** Absent where nobody reports. */
function loadsSection(loads: readonly LoadView[]): SafeHtml {
  if (loads.length === 0) return html``;
  const shown = loads.toSorted((a, b) => b.issued - a.issued).slice(0, MAX_LOADS_SHOWN);
  const rows = shown.map(
    ({ cluster, issued, successful, failed, dropped, inProgress, reporters }) =>
      html`<tr><td><code>${cluster}</code></td><td>${issued}</td><td>${successful}</td><td>${failed}</td>
<td>${dropped}</td><td>${inProgress}</td><td>${reporters}</td></tr>`,
  );
  return html`<h2>Requests that clients report</h2><table><tr><th>Cluster</th><th>Issued</th><th>Successful</th><th>Failed</th>
<th>Dropped</th><th>Under way</th><th>Clients</th></tr>${rows}</table><p class="muted">${shown.length} of ${loads.length} clusters.</p>`;
}

function tracesSection(traces: readonly unknown[]): SafeHtml {
  if (traces.length === 0) return html``;
  const rows = traces
    .slice(0, MAX_TRACES_SHOWN)
    .map((trace) => html`<tr><td><code>${JSON.stringify(trace)}</code></td></tr>`);
  return html`<h2>Recent traces</h2><table>${rows}</table>`;
}

function watchesTable({ watches }: ConsulView): SafeHtml {
  const troubled = watches.filter(({ state }) => state !== 'current');
  const shown = [...troubled, ...watches.filter(({ state }) => state === 'current')].slice(0, MAX_WATCHES_SHOWN);
  const rows = shown.map(
    ({ key, state, ageSeconds, error }) =>
      html`<tr><td><code>${key}</code></td><td class="${state === 'current' ? 'good' : 'bad'}">${state}</td>
<td>${ageSeconds === undefined ? 'never answered' : `${ageSeconds} s ago`}</td><td class="muted">${error}</td></tr>`,
  );
  return html`<table><tr><th>Watch</th><th>State</th><th>Last answer</th><th></th></tr>${rows}</table>
<p class="muted">${shown.length} of ${watches.length} watches.</p>`;
}
