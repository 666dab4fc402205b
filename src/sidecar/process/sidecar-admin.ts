import type { ServerState } from '../../admin/admin.ts';
import { type Admin, startAdmin } from '../../admin/admin.ts';
import type { Bootstrap } from '../../resource/bootstrap.ts';
import type { Logs } from '../../telemetry/log/log.ts';
import type { XdsClient } from '../../xds/client/client.ts';
import { adminViews, setLogLevel } from './admin-views.ts';
import type { DataPlane } from './data-plane.ts';
import type { MainMetrics } from './main-metrics.ts';
import type { AnyResource } from './resource-changes.ts';

export interface SidecarAdminOptions {
  readonly bootstrap: Bootstrap;
  readonly dataPlane: DataPlane;
  readonly client: XdsClient<AnyResource> | undefined;
  readonly logs: Logs;
  readonly version: string;
}

/** The admin port of a sidecar with the little state it adds: where the program is in its life. */
export class SidecarAdmin {
  /** Resolves when `/quitquitquit` or the end of a graceful drain asks the program to end. */
  readonly quit: Promise<void>;
  readonly #options: SidecarAdminOptions;
  #server: Admin | undefined;
  #state: ServerState = 'INITIALIZING';
  #isHealthCheckFailing = false;
  #askToQuit: () => void = () => {};

  constructor(options: SidecarAdminOptions) {
    this.#options = options;
    this.quit = new Promise((resolve) => {
      this.#askToQuit = resolve;
    });
  }

  get isLive(): boolean {
    return this.#state === 'LIVE';
  }

  get address(): Bootstrap['admin'] {
    return this.#server?.address ?? this.#options.bootstrap.admin;
  }

  /** Rejects where the address cannot be bound. */
  async start(metrics: MainMetrics): Promise<void> {
    const { bootstrap, logs, dataPlane } = this.#options;
    const log = logs.logger('admin');
    this.#server = await startAdmin({
      address: bootstrap.admin,
      failed: (path, error) => log.error({ path, err: error }, 'admin request failed'),
      views: adminViews({ ...this.#options, metrics, state: () => this.#serverState() }),
      actions: {
        setLogLevel: (logger, level) => setLogLevel(logs, logger, level),
        setHealthCheckFailing: (failing) => {
          this.#isHealthCheckFailing = failing;
          dataPlane.setHealthFailing(failing);
        },
        drainListeners: ({ inboundOnly, graceful, skipExit }) => {
          log.info({ inboundOnly, graceful, skipExit }, 'draining listeners');
          void dataPlane.drain(inboundOnly).then(() => (graceful && !skipExit ? this.#askToQuit() : undefined));
        },
        quit: () => this.#askToQuit(),
      },
    });
  }

  becomeReady(): void {
    this.#state = 'LIVE';
  }

  becomeDraining(): void {
    this.#state = 'DRAINING';
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  #serverState(): ServerState {
    return this.#isHealthCheckFailing && this.#state === 'LIVE' ? 'DRAINING' : this.#state;
  }
}
