import type { ControlPlaneCase, PushCost } from './report.ts';

const WIDTH = 640;
const PANEL_HEIGHT = 150;
const LEFT = 70;
const RIGHT = 150;

interface Curve {
  readonly name: string;
  readonly color: string;
  readonly of: (one: ControlPlaneCase) => number;
}

const EVERYBODY = { name: 'a service all call', color: '#2f6f4f' };
const SOMEBODY = { name: 'one that few call', color: '#c05621' };

function ofPush(cost: (push: PushCost) => number): readonly Curve[] {
  return [
    { ...EVERYBODY, of: ({ everybody }) => cost(everybody) },
    { ...SOMEBODY, of: ({ somebody }) => cost(somebody) },
  ];
}

const PANELS: readonly { readonly title: string; readonly curves: readonly Curve[] }[] = [
  { title: 'change to last answer, median, ms', curves: ofPush(({ p50Ms }) => p50Ms) },
  { title: 'server CPU for a change, ms', curves: ofPush(({ cpuMicrosPerChange }) => cpuMicrosPerChange / 1_000) },
  { title: 'bytes for a change, KB', curves: ofPush(({ bytesPerChange }) => bytesPerChange / 1_000) },
  {
    title: 'all clients reconnect at once, s',
    curves: [{ name: 'served', color: '#2f6f4f', of: ({ reconnectMs }) => reconnectMs / 1_000 }],
  },
  { title: 'server memory, MB', curves: [{ name: 'RSS', color: '#2f6f4f', of: ({ rssMb }) => rssMb }] },
];

/** One panel for each reading over the number of streams. */
export function controlPlaneChart(cases: readonly ControlPlaneCase[]): string {
  const panels = PANELS.map(({ title, curves }, index) =>
    panel(title, curves, cases, 20 + index * (PANEL_HEIGHT + 50)),
  );
  const height = 20 + PANELS.length * (PANEL_HEIGHT + 50);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">\n<title>Control server by number of streams</title>\n${panels.join('\n')}\n</svg>\n`;
}

function panel(title: string, curves: readonly Curve[], cases: readonly ControlPlaneCase[], top: number): string {
  const mostStreams = Math.max(...cases.map(({ streams }) => streams));
  const most = Math.max(...curves.flatMap(({ of }) => cases.map(of)), 1);
  const bottom = top + 16 + PANEL_HEIGHT;
  const x = (streams: number): number => LEFT + (streams / mostStreams) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => bottom - (value / most) * PANEL_HEIGHT;
  const axis = [
    `<text x="0" y="${top + 8}" font-weight="bold">${title}</text>`,
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}" stroke="#888"/>`,
    `<text x="${LEFT - 8}" y="${top + 22}" text-anchor="end">${most.toFixed(1)}</text>`,
    `<text x="${LEFT - 8}" y="${bottom}" text-anchor="end">0</text>`,
    ...cases.map(({ streams }) => `<text x="${x(streams)}" y="${bottom + 14}" text-anchor="middle">${streams}</text>`),
  ];
  const lines = curves.map(({ name, color, of }, index) => {
    const points = cases.map((one) => `${x(one.streams).toFixed(1)},${y(of(one)).toFixed(1)}`).join(' ');
    const label = `<text x="${WIDTH - RIGHT + 10}" y="${top + 22 + index * 16}" fill="${color}">${name}</text>`;
    return `<polyline points="${points}" fill="none" stroke="${color}" stroke-width="2"/>${label}`;
  });
  return [...axis, ...lines].join('\n');
}
