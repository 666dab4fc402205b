import type { ReadableSpan, SpanExporter as SdkSpanExporter } from '@opentelemetry/sdk-trace';

type ExportResult = Parameters<Parameters<SdkSpanExporter['export']>[1]>[0];

/** `ExportResultCode.SUCCESS` of the SDK's core package. */
const SUCCESS = 0;

/** Counts what becomes of spans, and tells when exporting begins to fail and when it works again. */
export class CountedExporter implements SdkSpanExporter {
  exported = 0;
  failed = 0;
  readonly #inner: SdkSpanExporter;
  readonly #stateChanged: (error: Error | undefined) => void;
  #failing = false;

  constructor(inner: SdkSpanExporter, stateChanged: (error: Error | undefined) => void) {
    this.#inner = inner;
    this.#stateChanged = stateChanged;
  }

  /** The last export failed. */
  get isFailing(): boolean {
    return this.#failing;
  }

  export(spans: ReadableSpan[], resultCallback: (result: ExportResult) => void): void {
    this.#inner.export(spans, (result) => {
      const works = result.code === SUCCESS;
      if (works) this.exported += spans.length;
      else this.failed += spans.length;
      if (works === this.#failing) {
        this.#failing = !works;
        this.#stateChanged(works ? undefined : (result.error ?? new Error('the exporter gave no reason')));
      }
      resultCallback(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}
