/**
 * `weft demo`: the whole mesh on one machine. Starts every program as a user would, each in its own process, from the same command
 * line; asks them over the same ports as anybody; and ends every process it began, whatever happens. It knows the programs'
 * commands and public APIs, and nothing of their insides.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type OtlpReceiver, startOtlpReceiver } from '../telemetry/otlp-receiver/otlp-receiver.ts';
import { ChildProcesses } from './child-processes.ts';
import {
  type ControlFigures,
  configStates,
  controlFigures,
  type DemoReport,
  demoReport,
  reportText,
} from './demo-report.ts';
import { freePorts, portNear } from './free-ports.ts';
import { LoadGenerator } from './load-generator.ts';
import { type WrittenConfig, writeMeshConfig } from './mesh-config.ts';
import { controlMissing, registryMissing, servicesMissing, sidecarsMissing } from './mesh-readiness.ts';
import { startOverview } from './overview-page.ts';
import {
  controlChild,
  type MeshPlan,
  planMesh,
  portsNeeded,
  registryChild,
  serviceChild,
  sidecarChild,
  sidecarsOf,
} from './plan.ts';
import { deregister, register } from './registration.ts';
import { ENTRY_SERVICE, LOAD_SERVICE, SERVICES } from './topology.ts';
import { waitUntil } from './wait-until.ts';

export interface DemoOptions {
  /** Length of the load; undefined: until `signal`. */
  readonly forMs: number | undefined;
  /** One JSON object at the end instead of text. */
  readonly json: boolean;
  /** A Consul to use instead of the embedded registry. */
  readonly consulUrl: string | undefined;
  /** A collector (OTLP over HTTP) to send traces to instead of the built-in receiver. */
  readonly otlpUrl: string | undefined;
  readonly requestsPerSecond: number;
  /** What the control server is told: `off`, `permissive` or `strict`. */
  readonly mutualTls: string;
  /** Ends the demo early, and properly. */
  readonly signal: AbortSignal;
  /** Executable and first argument with which children are started. */
  readonly program: readonly [string, string];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly print: (line: string) => void;
  readonly progress: (line: string) => void;
}

const START_TIMEOUT_MS = 60_000;
/** Good answers in a row before the load begins: endpoints reach sidecars one by one. */
const GOOD_PROBES = 10;
/** Spans travel in batches: after the load they are waited for until none came for this long, within the other. */
const SPAN_QUIET_MS = 1_500;
const SPAN_WAIT_MS = 10_000;
const RECENT_TRACES_SHOWN = 15;

/** True when something failed: a program, the start, or any request of the load. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const demo = new Demo(options);
  try {
    const report = await demo.run();
    options.print(options.json ? JSON.stringify(report) : reportText(report));
    return report.requests.failed > 0 || report.requests.total === 0;
  } catch (error) {
    if (options.signal.aborted) return false;
    options.progress(`weft demo: ${error instanceof Error ? error.message : String(error)}`);
    return true;
  } finally {
    await demo.stop();
  }
}

class Demo {
  readonly #options: DemoOptions;
  /** Ends with the user's signal or with the first program that fails. */
  readonly #ending = new AbortController();
  /** What to undo at the end, last first. */
  readonly #undo: (() => Promise<void>)[] = [];
  #programFailure: string | undefined;
  #config: WrittenConfig | undefined;

  constructor(options: DemoOptions) {
    this.#options = options;
    if (options.signal.aborted) this.#ending.abort();
    options.signal.addEventListener('abort', () => this.#ending.abort(), { once: true });
  }

  async run(): Promise<DemoReport> {
    try {
      const receiver = await this.#startReceiver();
      const plan = await this.#plan();
      const children = this.#startPrograms(plan, receiver);
      const load = this.#load(plan);
      await this.#startOverview(plan, load, receiver);
      await this.#bringUp(plan, children, load);
      this.#sayWhereToLook(plan, receiver);
      load.start();
      await this.#untilTheEnd();
      await load.stop();
      await this.#spansArrived(receiver);
      const control = await readControlFigures(plan);
      return demoReport(load.counts(), plan.instances.length, control, traceFigures(receiver));
    } catch (error) {
      throw this.#programFailure === undefined ? error : new Error(this.#programFailure);
    }
  }

  async stop(): Promise<void> {
    for (const undo of this.#undo.reverse()) {
      await undo().catch((error: unknown) => this.#options.progress(`weft demo: at the end: ${String(error)}`));
    }
  }

  async #startReceiver(): Promise<OtlpReceiver | undefined> {
    if (this.#options.otlpUrl !== undefined) return undefined;
    const receiver = await startOtlpReceiver();
    this.#undo.push(() => receiver.stop());
    return receiver;
  }

  async #plan(): Promise<MeshPlan> {
    const { consulUrl } = this.#options;
    const registry = consulUrl === undefined ? await portNear(8500) : undefined;
    const ports = {
      registry,
      xds: await portNear(18_000),
      console: await portNear(18_080),
      overview: await portNear(18_090),
    };
    const free = await freePorts(portsNeeded(SERVICES));
    return planMesh(SERVICES, consulUrl ?? `http://127.0.0.1:${registry}`, ports, free);
  }

  #startPrograms(plan: MeshPlan, receiver: OtlpReceiver | undefined): ChildProcesses {
    const endpoint = receiver === undefined ? this.#options.otlpUrl : `http://127.0.0.1:${receiver.httpPort}`;
    const children = new ChildProcesses({
      program: this.#options.program,
      environment: {
        ...this.#options.environment,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_BSP_SCHEDULE_DELAY: '500',
      },
      onUnexpectedEnd: (message) => {
        this.#programFailure ??= message;
        this.#ending.abort();
      },
    });
    // Last of all: the services deregister themselves while their processes end.
    this.#undo.push(() => this.#leaveConsul(plan));
    // For an end that nobody planned, such as an uncaught error elsewhere in this process.
    const killAll = (): void => children.kill();
    process.once('exit', killAll);
    this.#undo.push(async () => {
      await children.stop();
      process.removeListener('exit', killAll);
    });
    const registry = registryChild(plan);
    if (registry !== undefined) children.start(registry);
    return children;
  }

  #load(plan: MeshPlan): LoadGenerator {
    const load = new LoadGenerator({
      port: plan.load.entryPort,
      service: ENTRY_SERVICE,
      requestsPerSecond: this.#options.requestsPerSecond,
    });
    this.#undo.push(() => load.stop());
    return load;
  }

  async #startOverview(plan: MeshPlan, load: LoadGenerator, receiver: OtlpReceiver | undefined): Promise<void> {
    const overview = await startOverview(plan.ports.overview, {
      plan,
      loadCounts: () => load.counts(),
      recentTraces: () => receiver?.store.recent(RECENT_TRACES_SHOWN) ?? [],
      tracesUrl: tracesUrl(this.#options, receiver),
      configStates: () => readControlOverview(plan).then(configStates, () => new Map()),
    });
    this.#undo.push(() => overview.stop());
  }

  /** In the order in which the parts depend on one another, each step said before it is waited for. */
  async #bringUp(plan: MeshPlan, children: ChildProcesses, load: LoadGenerator): Promise<void> {
    await this.#wait(`Consul at ${plan.registryUrl}`, () => registryMissing(plan));
    this.#config = await writeMeshConfig(plan.registryUrl, [LOAD_SERVICE, ...SERVICES.map((spec) => spec.name)]);
    children.start(controlChild(plan, this.#options.mutualTls));
    for (const instance of plan.instances) children.start(serviceChild(instance));
    await register(plan.registryUrl, plan.load.registration, this.#ending.signal);
    await this.#wait('the control server', () => controlMissing(plan));
    await this.#wait(`${plan.instances.length} instances of ${SERVICES.length} services`, () => servicesMissing(plan));
    const sidecars = sidecarsOf(plan);
    for (const sidecar of sidecars) children.start(sidecarChild(plan, sidecar));
    await this.#wait(`${sidecars.length} sidecars`, () => sidecarsMissing(sidecars));
    let good = 0;
    await this.#wait('requests to pass through the mesh', async () => {
      const result = await load.probe();
      // A service's own error came all the way through too.
      good = result.kind === 'failed' ? 0 : good + 1;
      if (good >= GOOD_PROBES) return undefined;
      return result.kind === 'failed' ? result.reason : `${good} good answers of ${GOOD_PROBES}`;
    });
  }

  /** A Consul that is not ours is left as it was found. */
  async #leaveConsul(plan: MeshPlan): Promise<void> {
    if (plan.ports.registry !== undefined) return;
    await deregister(plan.registryUrl, plan.load.registration.instance).catch(() => undefined);
    await this.#config?.remove();
  }

  async #wait(what: string, ask: () => Promise<string | undefined>): Promise<void> {
    this.#options.progress(`weft demo: waiting for ${what}`);
    await waitUntil(ask, { what, timeoutMs: START_TIMEOUT_MS, signal: this.#ending.signal });
  }

  #sayWhereToLook(plan: MeshPlan, receiver: OtlpReceiver | undefined): void {
    const { progress } = this.#options;
    progress('weft demo: the mesh carries traffic');
    progress(`  overview        http://127.0.0.1:${plan.ports.overview}/`);
    progress(`  control server  http://127.0.0.1:${plan.ports.console}/`);
    progress(`  Consul API      ${plan.registryUrl}/v1/catalog/services`);
    progress(`  traces          ${tracesUrl(this.#options, receiver)}`);
    progress(`  one request     curl -i http://127.0.0.1:${plan.load.entryPort}/`);
  }

  async #untilTheEnd(): Promise<void> {
    const { forMs, progress } = this.#options;
    progress(forMs === undefined ? 'weft demo: Ctrl-C ends it' : `weft demo: ${forMs / 1_000} s of load`);
    if (forMs === undefined) await untilAborted(this.#ending.signal);
    else await delay(forMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    if (this.#programFailure !== undefined) throw new Error(this.#programFailure);
  }

  async #spansArrived(receiver: OtlpReceiver | undefined): Promise<void> {
    if (receiver === undefined || this.#options.signal.aborted) return;
    const startedAtMs = performance.now();
    let spans = -1;
    while (receiver.store.stats().spans !== spans && performance.now() - startedAtMs < SPAN_WAIT_MS) {
      spans = receiver.store.stats().spans;
      await delay(SPAN_QUIET_MS);
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    // An empty timer keeps the process alive; a listener alone does not.
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(alive);
        resolve();
      },
      { once: true },
    );
  });
}

function tracesUrl(options: DemoOptions, receiver: OtlpReceiver | undefined): string {
  return receiver === undefined ? (options.otlpUrl ?? '') : `http://127.0.0.1:${receiver.httpPort}/api/traces`;
}

function traceFigures(receiver: OtlpReceiver | undefined): DemoReport['traces'] {
  if (receiver === undefined) return { exported: null, maxSpansInOne: null, concurrent: null };
  const { spans, maxSpansInOne, concurrent } = receiver.store.stats();
  return { exported: spans, maxSpansInOne, concurrent };
}

async function readControlFigures(plan: MeshPlan): Promise<ControlFigures> {
  return controlFigures(await readControlOverview(plan));
}

async function readControlOverview(plan: MeshPlan): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${plan.ports.console}/api/overview`, {
    signal: AbortSignal.timeout(5_000),
  });
  return response.json();
}
