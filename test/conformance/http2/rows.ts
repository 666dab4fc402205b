/** The published attacks on HTTP/2: what each asks of a sidecar. Tests named `attack NN: …` prove them. */
export interface AttackRow {
  readonly row: string;
  readonly attack: string;
  readonly known: string;
  readonly behaviour: string;
}

const row = (number: string, attack: string, known: string, behaviour: string): AttackRow => ({
  row: number,
  attack,
  known,
  behaviour,
});

export const ATTACK_ROWS: readonly AttackRow[] = [
  row('01', 'Rapid Reset', 'CVE-2023-44487', 'a bucket of resets; a place is free only when upstream work has ended'),
  row(
    '02',
    'MadeYouReset, six triggers',
    'CVE-2025-8671',
    'resets that we are made to send drink from the same bucket',
  ),
  row('03', 'CONTINUATION flood', 'CVE-2024-27919, -30255, -27983, -28182', 'at most 8, bounded bytes, a deadline'),
  row(
    '04',
    'HTTP/2 bomb',
    'CVE-2026-47774, -49975',
    'decoded size and fields are counted, 32 bytes each beside the text',
  ),
  row('05', 'fields dropped before they are counted', 'CVE-2026-73550', 'counted first'),
  row('06', 'HPACK tables', 'CVE-2016-6581', '4 KiB, at most two updates a block'),
  row(
    '07',
    'ping, settings and reset floods',
    'CVE-2019-9512, -9514, -9515, CVE-2020-11080',
    'at most 1,000 unread answers; 32 settings a frame',
  ),
  row(
    '08',
    'empty frames, names without a letter',
    'CVE-2019-9518, -9516',
    'one empty frame in a row; such names are malformed',
  ),
  row('09', 'tiny DATA frames', 'h2 0.4.16', 'a budget for what they waste while nobody takes them'),
  row(
    '10',
    'data dribble, internal buffering, stall',
    'CVE-2019-9511, -9517',
    'bounded buffers; where much waits, answers that could not leave are not read',
  ),
  row('11', 'PRIORITY and WINDOW_UPDATE floods', 'CVE-2019-9513', "Envoy's allowances"),
  row('12', 'many streams at once', 'CVE-2021-32778', 'ended in one pass'),
  row(
    '13',
    'window overflow',
    'CVE-2026-21714',
    'the connection ends and is freed: 20,000 hostile connections leave nothing',
  ),
  row('14', 'malformed HPACK', 'CVE-2025-59465', 'COMPRESSION_ERROR, nothing is thrown'),
  row('15', 'trailers without END_STREAM, frames after it', 'CVE-2026-73513', 'the stream is reset'),
  row('16', 'CONNECT, missing pseudo-fields', 'CVE-2026-73547', 'refused before any filter'),
  row('17', 'H2.CL', 'CVE-2026-48743, -33555', 'malformed; the upstream never sees a whole request'),
  row('18', 'H2.TE, connection fields', 'RFC 9113 §8.2.2', 'malformed'),
  row('19', 'bytes that are none of a field', 'RFC 9113 §8.2, CVE-2023-27491', 'malformed'),
  row(
    '20',
    'pseudo-fields with something else in them',
    'CVE-2021-39240, CVE-2026-33186',
    'malformed; Host is :authority or nothing',
  ),
  row('21', 'push, 16 MB frames, another preface', 'RFC 9113', 'connection error with the code of the RFC'),
  row('22', 'heads that nobody reads', '', '10,000 frames or 1 MiB unread end the connection'),
  row(
    '23',
    'GOAWAY and REFUSED_STREAM, as a host may send them',
    'RFC 9113 §8.7',
    'streams the host has not looked at go to another connection, even POST; all others never',
  ),
  row('24', 'upgrade to h2c', 'RFC 9113 §3.1', 'not done and not passed on: the connection stays HTTP/1.1'),
];
