import type { ScenarioReport } from './judge.ts';
import { nodeNames } from './network.ts';
import { type Sample, sampleEveryMs } from './recorder.ts';

const width = 960;
const left = 120;
const right = 20;
const panelHeight = 64;
const panelGap = 26;
const rowHeight = 18;
const top = 64;
const lineHeight = 18;
const samplesPerSecond = 1_000 / sampleEveryMs;

const colors = {
  writes: '#1f6f8b',
  reads: '#3a7d44',
  replicaReads: '#9bc53d',
  errors: '#c0392b',
  delivered: '#7a5195',
  lag: '#d98e04',
  primary: '#1f6f8b',
  replica: '#b8d8e3',
  down: '#dddddd',
  accepts: '#0b3c49',
  ink: '#333333',
  faint: '#bbbbbb',
} as const;

interface Series {
  name: string;
  color: string;
  of(sample: Sample): number | undefined;
}

interface Panel {
  name: string;
  series: Series[];
}

const panels: Panel[] = [
  {
    name: 'a second',
    series: [
      { name: 'writes', color: colors.writes, of: ({ writes }) => writes * samplesPerSecond },
      { name: 'errors', color: colors.errors, of: ({ errors }) => errors * samplesPerSecond },
    ],
  },
  {
    name: 'a second',
    series: [
      { name: 'reads', color: colors.reads, of: ({ reads }) => reads * samplesPerSecond },
      {
        name: 'of replicas',
        color: colors.replicaReads,
        of: ({ replicaReads }) => replicaReads * samplesPerSecond,
      },
    ],
  },
  {
    name: 'a second',
    series: [
      { name: 'delivered', color: colors.delivered, of: ({ delivered }) => delivered * samplesPerSecond },
    ],
  },
  {
    name: 'KiB',
    series: [{ name: 'lag, the longest', color: colors.lag, of: longestLagKib }],
  },
];

/** Writes, reads, deliveries, lag and roles of one scenario over its seconds, as a picture that needs nothing else. */
export function renderTimeline(report: ScenarioReport): string {
  const { name, title, samples, actions } = report;
  const seconds = Math.max(1, samples.at(-1)?.at ?? 1);
  const x = (at: number) => left + ((width - left - right) * at) / seconds;
  const rolesTop = top + panels.length * (panelHeight + panelGap);
  const bottom = rolesTop + nodeNames.length * rowHeight;
  const legendTop = bottom + 44;
  const height = legendTop + (actions.length + 2) * lineHeight;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${colors.ink}" role="img">`,
    `<title>${escapeXml(`${name}: ${title}`)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    text({ x: 16, y: 26, size: 16 }, `${name}: ${title}`),
    text({ x: 16, y: 46 }, summary(report)),
    ...actions.flatMap((action, n) => marker({ x: x(action.at), top, bottom, number: n + 1 })),
    ...panels.flatMap((panel, n) =>
      drawPanel({ panel, samples, x, top: top + n * (panelHeight + panelGap) + panelGap / 2 }),
    ),
    ...drawRoles({ samples, x, top: rolesTop }),
    ...secondsAxis({ seconds, x, y: bottom + 16 }),
    ...actions.map(({ at, what }, n) =>
      text({ x: left, y: legendTop + n * lineHeight }, `${n + 1}  +${at.toFixed(1)} s  ${what}`),
    ),
    ...drawLegend(legendTop + actions.length * lineHeight + 4),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function summary({
  mode,
  withoutWrites,
  withoutReads,
  lost,
  duplicates,
  acceptedByTwo,
}: ScenarioReport): string {
  return `${mode}; ${withoutWrites.toFixed(1)} s without writes, ${withoutReads.toFixed(1)} s without reads; lost ${lost}, duplicates ${duplicates}, accepted by two nodes ${acceptedByTwo}`;
}

function longestLagKib({ nodes }: Sample): number | undefined {
  const lags = nodeNames.map((name) => nodes[name].lagBytes).filter((lag) => lag !== undefined);
  return lags.length === 0 ? undefined : Math.max(...lags) / 1_024;
}

type X = (at: number) => number;

function drawPanel(given: { panel: Panel; samples: Sample[]; x: X; top: number }): string[] {
  const { panel, samples, x, top: y } = given;
  const values = panel.series.flatMap(({ of }) => samples.map((sample) => of(sample) ?? 0));
  const highest = Math.max(1, ...values);
  const base = y + panelHeight - 8;
  const height = panelHeight - 16;
  return [
    `<line x1="${left}" x2="${width - right}" y1="${base}" y2="${base}" stroke="${colors.faint}"/>`,
    text(
      { x: left - 8, y: base - height + 8, anchor: 'end' },
      `${Math.round(highest).toLocaleString('en')} ${panel.name}`,
    ),
    text({ x: left - 8, y: base, anchor: 'end' }, '0'),
    ...panel.series.flatMap(({ name, color, of }, n) => [
      text({ x: left - 8, y: base - height + 22 + n * 14, anchor: 'end', color }, name),
      ...curves(samples, of).map((points) => {
        const path = points.map(
          ({ at, value }) => `${x(at).toFixed(1)},${(base - (height * value) / highest).toFixed(1)}`,
        );
        return `<polyline points="${path.join(' ')}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
      }),
    ]),
  ];
}

/** Where there is no value the line has a hole. */
function curves(samples: Sample[], of: Series['of']): { at: number; value: number }[][] {
  const found: { at: number; value: number }[][] = [[]];
  for (const sample of samples) {
    const value = of(sample);
    if (value === undefined) found.push([]);
    else found.at(-1)!.push({ at: sample.at, value });
  }
  return found.filter((points) => points.length > 0);
}

/** A bar for each node; a dark line within says that it acknowledged writes. */
function drawRoles({ samples, x, top: y }: { samples: Sample[]; x: X; top: number }): string[] {
  return nodeNames.flatMap((node, n) => {
    const rowTop = y + n * rowHeight;
    let before = 0;
    const bars = samples.flatMap(({ at, nodes }) => {
      const [from, to] = [x(before), x(at)];
      before = at;
      const place = `x="${from.toFixed(1)}" width="${(to - from + 0.3).toFixed(1)}"`;
      const { role, accepts } = nodes[node];
      const bar = `<rect ${place} y="${rowTop}" height="${rowHeight - 4}" fill="${colors[role]}"/>`;
      const line = `<rect ${place} y="${rowTop + 5}" height="4" fill="${colors.accepts}"/>`;
      return accepts ? [bar, line] : [bar];
    });
    return [
      text({ x: left - 8, y: rowTop + 11, anchor: 'end' }, node),
      ...bars,
      ...timelines(node, samples, x, rowTop),
    ];
  });
}

/** The number of the timeline where it changes. */
function timelines(node: (typeof nodeNames)[number], samples: Sample[], x: X, rowTop: number): string[] {
  let known: number | undefined;
  return samples.flatMap(({ at, nodes }) => {
    const { timeline } = nodes[node];
    if (timeline === undefined || timeline === known) return [];
    known = timeline;
    return [
      text(
        { x: x(at) + 2, y: rowTop + 11, size: 10, color: colors.errors, outlined: true },
        String(timeline),
      ),
    ];
  });
}

function marker({ x, top: y, bottom, number }: { x: number; top: number; bottom: number; number: number }) {
  return [
    `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${y}" y2="${bottom}" stroke="${colors.faint}" stroke-dasharray="3 3"/>`,
    text({ x, y: y - 2, anchor: 'middle', size: 10 }, String(number)),
  ];
}

const ticksMax = 12;

function secondsAxis({ seconds, x, y }: { seconds: number; x: X; y: number }): string[] {
  const step = [1, 2, 5, 10, 20, 30, 60, 120].find((each) => seconds / each <= ticksMax) ?? 300;
  const count = Math.floor(seconds / step) + 1;
  return Array.from({ length: count }, (_, n) =>
    text({ x: x(n * step), y, anchor: 'middle', size: 10 }, `${n * step} s`),
  );
}

function drawLegend(y: number): string[] {
  const entries: [string, string][] = [
    [colors.primary, 'primary'],
    [colors.replica, 'replica'],
    [colors.down, 'down, or without an answer'],
    [colors.accepts, 'acknowledged a write that was sent to it directly'],
    [colors.errors, 'timeline'],
  ];
  let at = left;
  return entries.flatMap(([color, what]) => {
    const x = at;
    at += 30 + what.length * 6.4;
    return [
      `<rect x="${x}" y="${y}" width="10" height="10" fill="${color}"/>`,
      text({ x: x + 14, y: y + 9, size: 11 }, what),
    ];
  });
}

interface Placement {
  x: number;
  y: number;
  size?: number;
  anchor?: 'start' | 'middle' | 'end';
  color?: string;
  /** With a white edge, so that it can be read on every ground. */
  outlined?: boolean;
}

function text({ x, y, size, anchor, color, outlined }: Placement, content: string): string {
  const more = [
    size === undefined ? '' : ` font-size="${size}"`,
    anchor === undefined ? '' : ` text-anchor="${anchor}"`,
    color === undefined ? '' : ` fill="${color}"`,
    outlined ? ' stroke="white" stroke-width="3" paint-order="stroke"' : '',
  ];
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more.join('')}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
