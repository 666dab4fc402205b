import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { requirePeer } from './peer.ts';
import { answersOk, PeerProcess } from './peer-process.ts';
import { makeTempDirectory } from './temp-directory.ts';

const LOOPBACK = '127.0.0.1';
const READY_WITHIN_MS = 30_000;

export interface EnvoyOptions {
  /**
   * What to wait for: 'live' means that every listener and cluster of the bootstrap is warm, 'admin' only that the
   * process answers, for a bootstrap whose control plane is yet to come.
   */
  readonly waitFor?: 'live' | 'admin';
  /** More arguments for the program, such as `--log-level debug`. */
  readonly args?: readonly string[];
  /** A program and its arguments that starts Envoy in its place, as another user for example. */
  readonly startedBy?: readonly string[];
}

export interface Envoy extends AsyncDisposable {
  /** Base URL of the admin interface. */
  readonly adminAddress: string;
  /** The newest output of the process. */
  readonly output: string;
  /** host:port where the named listener listens; bootstraps use port 0. Undefined while there is no such listener. */
  listenerAddress(name: string): Promise<string | undefined>;
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Envoy with a bootstrap in YAML or JSON. The admin interface is ours: it listens on a port of Envoy's choice. */
export async function startEnvoy(bootstrapYaml: string, options: EnvoyOptions = {}): Promise<Envoy> {
  const { waitFor = 'live', args = [], startedBy = [] } = options;
  const [command, ...before] = [...startedBy, requirePeer('envoy')];
  const directory = makeTempDirectory('envoy');
  const bootstrapPath = join(directory.path, 'bootstrap.yaml');
  const adminPath = join(directory.path, 'admin');
  writeFileSync(bootstrapPath, stringify(withAdmin(bootstrapYaml)));
  const readAdminAddress = (): string => `http://${readFileSync(adminPath, 'utf8')}`;
  const readyPath = waitFor === 'live' ? '/ready' : '/server_info';
  try {
    const peer = await PeerProcess.start({
      name: 'envoy',
      command,
      args: [
        ...before,
        ...['--config-path', bootstrapPath, '--admin-address-path', adminPath, '--concurrency', '1'],
        // Hot restart shares memory between processes of one base id; ours have nothing to share.
        ...['--disable-hot-restart', '--log-level', 'info', ...args],
      ],
      isReady: () => answersOk(`${readAdminAddress()}${readyPath}`),
      readyWithinMs: READY_WITHIN_MS,
    });
    const adminAddress = readAdminAddress();
    const stop = async (): Promise<void> => {
      await peer.stop();
      directory.remove();
    };
    return {
      adminAddress,
      get output() {
        return peer.output;
      },
      listenerAddress: (name) => findListener(adminAddress, name),
      signal: (signal) => peer.signal(signal),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    directory.remove();
    throw error;
  }
}

function withAdmin(bootstrapYaml: string): object {
  const bootstrap: unknown = parse(bootstrapYaml);
  if (typeof bootstrap !== 'object' || bootstrap === null) throw new TypeError('the bootstrap is not a mapping');
  return { ...bootstrap, admin: { address: { socket_address: { address: LOOPBACK, port_value: 0 } } } };
}

/** The part that we read of the admin interface's answer to `/listeners?format=json`. */
interface ListenerStatuses {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address?: { readonly address: string; readonly port_value: number } };
  }[];
}

async function findListener(adminAddress: string, name: string): Promise<string | undefined> {
  const response = await fetch(`${adminAddress}/listeners?format=json`, { signal: AbortSignal.timeout(5_000) });
  const { listener_statuses: statuses = [] } = (await response.json()) as ListenerStatuses;
  const address = statuses.find((status) => status.name === name)?.local_address.socket_address;
  return address === undefined ? undefined : `${address.address}:${address.port_value}`;
}
