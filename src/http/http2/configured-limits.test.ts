import { describe, expect, test } from 'vitest';
import { type Http2Options, UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { configuredLimits } from './configured-limits.ts';
import { data, frame, GET, headers, POST, ping, priority, windowUpdate } from './frame-script.ts';
import { DEFAULT_HTTP2_LIMITS, MESH_HTTP2_LIMITS } from './limits.ts';
import { RecordedServer } from './recorded-server.ts';

/** What http2_protocol_options say, as a connection obeys it. */

function greeted(options: Partial<Http2Options>): RecordedServer {
  return RecordedServer.greeted(configuredLimits(DEFAULT_HTTP2_LIMITS, { ...UNSAID_HTTP2_OPTIONS, ...options }));
}

/** Identifier and value of each setting, and the increment of the connection's window. */
function announced(options: Partial<Http2Options>): { settings: Record<number, number>; widerBytes: number } {
  const limits = configuredLimits(DEFAULT_HTTP2_LIMITS, { ...UNSAID_HTTP2_OPTIONS, ...options });
  const [hello, wider] = new RecordedServer(limits).sentFrames();
  const settings: Record<number, number> = {};
  const payload = hello?.payload ?? Buffer.alloc(0);
  for (let at = 0; at < payload.length; at += 6) settings[payload.readUInt16BE(at)] = payload.readUInt32BE(at + 2);
  return { settings, widerBytes: wider?.payload.readUInt32BE(0) ?? 0 };
}

const ACK = 1;

test('nothing said leaves the limits as they are', () => {
  expect(configuredLimits(DEFAULT_HTTP2_LIMITS, UNSAID_HTTP2_OPTIONS)).toEqual(DEFAULT_HTTP2_LIMITS);
});

test('windows that somebody chose do not grow', () => {
  for (const chosen of [{ initialStreamWindowSizeBytes: 65_535 }, { initialConnectionWindowSizeBytes: 65_535 }]) {
    const limits = configuredLimits(MESH_HTTP2_LIMITS, { ...UNSAID_HTTP2_OPTIONS, ...chosen });
    expect(limits.maxWindowGrowthBytes).toBe(0);
  }
});

describe('what is announced', () => {
  test('streams, windows and a smaller table', () => {
    const { settings, widerBytes } = announced({
      maxConcurrentStreams: 7,
      initialStreamWindowSizeBytes: 300_000,
      initialConnectionWindowSizeBytes: 500_000,
      hpackTableSizeBytes: 1024,
    });
    expect(settings).toMatchObject({ 1: 1024, 3: 7, 4: 300_000 });
    expect(widerBytes).toBe(500_000 - 65_535);
  });

  test('never a larger table than ours', () => {
    expect(announced({ hpackTableSizeBytes: 1_000_000 }).settings).not.toHaveProperty('1');
  });
});

describe('what ends a connection', () => {
  test('one stream more than max_concurrent_streams is refused', () => {
    const server = greeted({ maxConcurrentStreams: 1 }).receive(headers(1, GET, true), headers(3, GET, true));
    expect(server.sent()).toEqual(['RST_STREAM 3 REFUSED_STREAM']);
  });

  test('empty frames beyond max_consecutive_inbound_frames_with_empty_payload', () => {
    const server = greeted({ maxConsecutiveInboundFramesWithEmptyPayload: 3 });
    server.receive(headers(1, POST), data(1, ''), data(1, ''), data(1, ''));
    expect(server.fault).toBe('');
    expect(server.receive(data(1, '')).fault).toBe('empty-frame-flood');
  });

  test('PRIORITY frames beyond max_inbound_priority_frames_per_stream', () => {
    const server = greeted({ maxInboundPriorityFramesPerStream: 2 }).receive(priority(1, 0), priority(3, 0));
    expect(server.fault).toBe('');
    expect(server.receive(priority(5, 0)).fault).toBe('priority-flood');
  });

  test('WINDOW_UPDATEs beyond max_inbound_window_update_frames_per_data_frame_sent', () => {
    const count = (perFrame: number): number => {
      const server = greeted({ maxInboundWindowUpdateFramesPerDataFrameSent: perFrame });
      server
        .receive(headers(1, GET, true))
        .stream(1)
        .sendLocalHead(200, [], -1);
      server.stream(1).sendBodyText('x');
      let updates = 0;
      while (server.receive(windowUpdate(0, 1)).fault === '') updates += 1;
      return updates;
    };
    expect(count(20) - count(10)).toBe(20);
  });

  test('control frames beyond max_outbound_control_frames that nobody reads', () => {
    const server = greeted({ maxOutboundControlFrames: 5 });
    server.sent(true);
    expect(server.receive(ping(), ping(), ping(), ping(), ping()).fault).toBe('');
    expect(server.receive(ping()).fault).toBe('control-frame-flood');
  });

  test('frames of any kind beyond max_outbound_frames that nobody reads', () => {
    const server = greeted({ maxOutboundFrames: 3 });
    for (const id of [1, 3, 5, 7]) {
      expect(server.fault).toBe('');
      server
        .receive(headers(id, GET, true))
        .stream(id)
        .sendLocalHead(204, [], 0);
      server.stream(id).end();
      server.sent(true);
    }
    expect(server.fault).toBe('outbound-flood');
  });

  test('a malformed message ends its stream, or the connection where that is asked for', () => {
    const bad = headers(1, [[':method', 'GET']], true);
    const lenient = greeted({}).receive(bad);
    expect(lenient.fault).toBe('');
    expect(lenient.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(greeted({ streamErrorOnInvalidHttpMessage: true }).receive(bad).fault).toBe('');
    const strict = greeted({ streamErrorOnInvalidHttpMessage: false }).receive(bad);
    expect(strict.fault).toBe('missing-authority');
    expect(strict.sent().at(-1)).toBe('GOAWAY 1 PROTOCOL_ERROR missing-authority');
  });

  test('what is merely too large is not malformed', () => {
    const server = greeted({ streamErrorOnInvalidHttpMessage: false });
    server.receive(headers(1, [...GET, ...Array.from({ length: 120 }, () => ['x', 'y'] as const)], true));
    expect(server.fault).toBe('');
    expect(server.sent()).toEqual(['RST_STREAM 1 ENHANCE_YOUR_CALM']);
  });
});

describe('connection_keepalive', () => {
  test('asks in intervals, and goes on while the peer answers', () => {
    const server = greeted({ connectionKeepaliveIntervalMs: 100, connectionKeepaliveTimeoutMs: 20 });
    for (const dueMs of [100, 205, 310]) {
      expect(server.connection.nextDeadlineMs).toBe(dueMs);
      server.connection.advance(dueMs - 1);
      expect(server.sentFrames()).toEqual([]);
      server.connection.advance(dueMs);
      const [asked, ...more] = server.sentFrames();
      expect([asked?.type, more.length]).toEqual(['PING', 0]);
      expect(server.connection.nextDeadlineMs).toBe(dueMs + 20);
      server.nowMs = dueMs + 5;
      server.receive(frame(6, ACK, 0, asked?.payload));
    }
    expect(server.fault).toBe('');
  });

  test('ends a connection whose peer does not answer in time', () => {
    const server = greeted({ connectionKeepaliveIntervalMs: 100, connectionKeepaliveTimeoutMs: 20 });
    server.receive(headers(1, POST));
    server.connection.advance(100);
    server.connection.advance(119);
    expect(server.fault).toBe('');
    server.connection.advance(120);
    expect(server.fault).toBe('ping-timeout');
    expect(server.events.at(-2)).toBe('1 reset ping-timeout');
  });

  test('is not there unless it is asked for', () => {
    expect(greeted({}).connection.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});
