import type { SuiteReport } from './report.ts';

const BAR_HEIGHT = 18;
const LABEL_WIDTH = 130;
const BAR_WIDTH = 480;

/** Horizontal bars of CPU per request with their ranges, one group for each case. */
export function chartSvg(reports: readonly SuiteReport[]): string {
  const parts: string[] = [];
  let y = 20;
  for (const report of reports) {
    for (const one of report.cases) {
      const peers = Object.entries(one.results).sort(([, a], [, b]) => a.cpuMicrosPerRequest - b.cpuMicrosPerRequest);
      const most = Math.max(...peers.map(([, result]) => result.cpuMicrosRange[1]), 1);
      parts.push(text(0, y, `${report.suite}: ${one.name} — µs CPU per request`, 'bold'));
      y += 10;
      for (const [name, result] of peers) {
        const scale = (value: number): number => LABEL_WIDTH + (value / most) * BAR_WIDTH;
        const middle = y + BAR_HEIGHT / 2;
        parts.push(
          text(0, middle + 4, name, name === 'weft' ? 'bold' : 'normal'),
          `<rect x="${LABEL_WIDTH}" y="${y + 2}" width="${scale(result.cpuMicrosPerRequest) - LABEL_WIDTH}" height="${BAR_HEIGHT - 4}" fill="${name === 'weft' ? '#2f6f4f' : '#9aa5b1'}"/>`,
          `<line x1="${scale(result.cpuMicrosRange[0])}" x2="${scale(result.cpuMicrosRange[1])}" y1="${middle}" y2="${middle}" stroke="#222"/>`,
          text(LABEL_WIDTH + BAR_WIDTH + 8, middle + 4, result.cpuMicrosPerRequest.toFixed(1), 'normal'),
        );
        y += BAR_HEIGHT;
      }
      y += 24;
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LABEL_WIDTH + BAR_WIDTH + 60}" height="${y}" font-family="sans-serif" font-size="12">\n<title>CPU per request</title>\n${parts.join('\n')}\n</svg>\n`;
}

function text(x: number, y: number, content: string, weight: 'bold' | 'normal'): string {
  const escaped = content.replace(
    /[&<>]/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character] ?? '',
  );
  return `<text x="${x}" y="${y}" font-weight="${weight}">${escaped}</text>`;
}
