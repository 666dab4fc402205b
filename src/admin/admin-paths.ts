import type { AdminActions, AdminViews } from './admin-views.ts';
import { type Answer, jsonAnswer, textAnswer } from './answer.ts';
import { clustersAnswer } from './clusters-status.ts';
import { configDumpAnswer } from './config-dump.ts';
import { loggingAnswer } from './logging.ts';
import { certificatesAnswer, listenersAnswer, memoryAnswer, readyAnswer, serverInfoAnswer } from './server-status.ts';
import { statsAnswer } from './stats.ts';

/** What a path is given. */
export interface PathContext {
  readonly views: AdminViews;
  readonly actions: AdminActions;
  readonly query: URLSearchParams;
  readonly nowMs: number;
}

export interface AdminPath {
  readonly path: string;
  /** GET reads (HEAD too); POST changes something. */
  readonly method: 'GET' | 'POST';
  readonly help: string;
  readonly answer: (context: PathContext) => Answer;
}

const OK = textAnswer('OK\n');

/** Envoy's paths that have a meaning here; the index and the help are made of this table. */
export const ADMIN_PATHS: readonly AdminPath[] = [
  {
    path: '/certs',
    method: 'GET',
    help: 'certificates in use',
    answer: ({ views, nowMs }) => certificatesAnswer(views.certificates(), nowMs),
  },
  {
    path: '/clusters',
    method: 'GET',
    help: 'clusters and hosts with their health and counts (format=json)',
    answer: ({ views, query }) => clustersAnswer(views.clusters(), query),
  },
  {
    path: '/config_dump',
    method: 'GET',
    help: 'configuration in use, secrets redacted (resource=, name_regex=, include_eds)',
    answer: ({ views, query }) => configDumpAnswer(views.configDump(), query),
  },
  {
    path: '/drain_listeners',
    method: 'POST',
    help: 'stop accepting connections (inboundonly, graceful, skip_exit)',
    answer: ({ actions, query }) => {
      const graceful = query.has('graceful');
      const skipExit = query.has('skip_exit');
      if (skipExit && !graceful) return textAnswer('skip_exit requires graceful\n', 400);
      actions.drainListeners({ inboundOnly: query.has('inboundonly'), graceful, skipExit });
      return OK;
    },
  },
  {
    path: '/healthcheck/fail',
    method: 'POST',
    help: 'answer health checks as failing',
    answer: ({ actions }) => {
      actions.setHealthCheckFailing(true);
      return OK;
    },
  },
  {
    path: '/healthcheck/ok',
    method: 'POST',
    help: 'answer health checks as working again',
    answer: ({ actions }) => {
      actions.setHealthCheckFailing(false);
      return OK;
    },
  },
  {
    path: '/hot_restart_version',
    method: 'GET',
    help: 'whether a hot restart is possible',
    answer: () => textAnswer('disabled'),
  },
  {
    path: '/listeners',
    method: 'GET',
    help: 'listeners and their addresses (format=json)',
    answer: ({ views, query }) => listenersAnswer(views.listeners(), query),
  },
  {
    path: '/logging',
    method: 'POST',
    help: 'list or set log levels (level=debug, <logger>=debug, paths=<logger>:debug,...)',
    answer: ({ views, actions, query }) => loggingAnswer(views, actions, query),
  },
  { path: '/memory', method: 'GET', help: 'memory of this process in bytes', answer: () => memoryAnswer() },
  {
    path: '/quitquitquit',
    method: 'POST',
    help: 'end this process',
    answer: ({ actions }) => {
      actions.quit();
      return OK;
    },
  },
  { path: '/ready', method: 'GET', help: '200 LIVE, or 503 and the state', answer: ({ views }) => readyAnswer(views) },
  {
    path: '/runtime',
    method: 'GET',
    help: 'runtime values (there are none)',
    answer: () => jsonAnswer({ entries: {}, layers: [] }),
  },
  {
    path: '/server_info',
    method: 'GET',
    help: 'version, state, uptime and node',
    answer: ({ views }) => serverInfoAnswer(views),
  },
  {
    path: '/stats',
    method: 'GET',
    help: 'statistics (filter=<regex>, usedonly, type=Counters|Gauges|Histograms, format=json|prometheus)',
    answer: ({ views, query }) => statsAnswer(views.metrics(), query, 'text'),
  },
  {
    path: '/stats/prometheus',
    method: 'GET',
    help: 'statistics for Prometheus (filter=<regex>, usedonly)',
    answer: ({ views, query }) => statsAnswer(views.metrics(), query, 'prometheus'),
  },
];
