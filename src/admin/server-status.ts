import { memoryUsage } from 'node:process';
import { addressText } from '../resource/address.ts';
import type { AdminViews, CertificateStatus, ListenerStatus } from './admin-views.ts';
import { type Answer, jsonAnswer, textAnswer, timestamp } from './answer.ts';
import { addressJson } from './clusters-status.ts';

const DAY_MS = 86_400_000;

/** `/ready`: 200 while live, 503 before that and while draining. */
export function readyAnswer(views: AdminViews): Answer {
  const state = views.serverState();
  return textAnswer(`${state}\n`, state === 'LIVE' ? 200 : 503);
}

/** `/server_info` as envoy.admin.v3.ServerInfo. */
export function serverInfoAnswer(views: AdminViews): Answer {
  const { version, uptimeMs, node, commandLineOptions } = views.serverInfo();
  const uptime = `${Math.floor(uptimeMs / 1_000)}s`;
  return jsonAnswer({
    version,
    state: views.serverState(),
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
    hot_restart_version: 'disabled',
    command_line_options: commandLineOptions,
    node,
  });
}

/** `/listeners`, as text or with `format=json` as envoy.admin.v3.Listeners. */
export function listenersAnswer(listeners: readonly ListenerStatus[], query: URLSearchParams): Answer {
  if (query.get('format') === 'json') {
    const statuses = listeners.map(({ name, address }) => ({ name, local_address: addressJson(address) }));
    return jsonAnswer({ listener_statuses: statuses });
  }
  return textAnswer(listeners.map(({ name, address }) => `${name}::${addressText(address)}\n`).join(''));
}

/** `/memory` as envoy.admin.v3.Memory; the page heap's inner counts have no counterpart here. */
export function memoryAnswer(): Answer {
  const { heapUsed, heapTotal, rss, external, arrayBuffers } = memoryUsage();
  return jsonAnswer({
    allocated: String(heapUsed + external),
    heap_size: String(heapTotal),
    pageheap_unmapped: '0',
    pageheap_free: String(heapTotal - heapUsed),
    total_thread_cache: '0',
    total_physical_bytes: String(rss),
    array_buffers: String(arrayBuffers),
  });
}

/** `/certs` as envoy.admin.v3.Certificates. */
export function certificatesAnswer(certificates: readonly CertificateStatus[], nowMs: number): Answer {
  return jsonAnswer({
    certificates: certificates.map((certificate) => {
      const details = [certificateJson(certificate, nowMs)];
      return certificate.kind === 'chain' ? { ca_cert: [], cert_chain: details } : { ca_cert: details, cert_chain: [] };
    }),
  });
}

function certificateJson(certificate: CertificateStatus, nowMs: number): unknown {
  return {
    path: certificate.path,
    serial_number: certificate.serialNumber,
    subject_alt_names: certificate.subjectAlternativeUris.map((uri) => ({ uri })),
    days_until_expiration: String(Math.max(0, Math.floor((certificate.expiresMs - nowMs) / DAY_MS))),
    valid_from: timestamp(certificate.validFromMs),
    expiration_time: timestamp(certificate.expiresMs),
  };
}
