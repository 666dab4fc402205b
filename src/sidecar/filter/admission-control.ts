import type { AdmissionControlConfig } from '../../resource/overload-filter-config.ts';
import { NOT_GRPC } from '../../telemetry/stream-record.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';
import { SuccessWindow } from './success-window.ts';

const DENIED = plainReply(503, 'denied_by_admission_control', '', '');

/**
 * envoy.filters.http.admission_control: where too few of the requests of a while ago succeeded, some of the new ones are
 * refused at once, so that whoever is behind can recover. As in Envoy each worker judges by the requests that it carried.
 */
export function createAdmissionControl(
  name: string,
  config: AdmissionControlConfig,
  { metrics, statPrefix, random, turn }: FilterContext,
): CompiledFilter {
  const scope = { kind: 'http', name: statPrefix } as const;
  const rejected = metrics.counter(scope, 'admission_control.rq_rejected');
  const succeeded = metrics.counter(scope, 'admission_control.rq_success');
  const failed = metrics.counter(scope, 'admission_control.rq_failure');
  if (!config.isEnabled) return { name };
  const window = new SuccessWindow(config.samplingWindowMs);
  /** Requests whose end is still to be judged. What was refused here must not bias what is measured. */
  const judged = new Set<FilterStream>();

  const isRefused = (): boolean => {
    if (window.requestsPerSecond(turn.nowMs) < config.requestsPerSecondThreshold) return false;
    const probability = window.rejectionProbability(config.successRateThreshold, config.aggression, turn.nowMs);
    return random.next() < Math.min(probability, config.maxRejectionProbability);
  };
  const judge = (stream: FilterStream, isSuccess: boolean): void => {
    if (!judged.delete(stream)) return;
    (isSuccess ? succeeded : failed).increment();
    window.record(isSuccess, turn.nowMs);
  };

  return {
    name,
    onRequestHead(stream) {
      if (isRefused()) {
        rejected.increment();
        stream.sendLocalReply(DENIED, '');
        return 'stop';
      }
      judged.add(stream);
      return 'continue';
    },
    onResponseHead(stream, { status }) {
      // A gRPC call has its status at its end.
      if (!stream.isGrpcCall && status >= 200) judge(stream, isHttpSuccess(config, status));
      return 'continue';
    },
    onStreamEnd(stream) {
      const { grpcStatus, status, responseFlags } = stream.record;
      // A caller that left says nothing about who was asked.
      if (status === 0 || responseFlags.split(',').includes('DC')) judged.delete(stream);
      else if (grpcStatus === NOT_GRPC) judge(stream, isHttpSuccess(config, status));
      else judge(stream, config.successGrpcStatuses.has(grpcStatus));
    },
  };
}

function isHttpSuccess({ successStatuses }: AdmissionControlConfig, status: number): boolean {
  return successStatuses.some(({ start, end }) => status >= start && status < end);
}
