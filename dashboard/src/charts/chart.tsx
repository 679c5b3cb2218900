import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { isDark } from '../theme.ts';

export interface ChartLine {
  name: string;
  /** A variable of the style sheet, such as `--accent`. */
  colour: string;
  dash?: number[];
  filled?: boolean;
  values: (number | null)[];
}

/** Lines over time. `summary` says in words what it shows. */
export function Chart(props: {
  title: string;
  summary: string;
  /** Unix seconds. */
  times: number[];
  lines: ChartLine[];
  show: (value: number) => string;
  heightPx?: number;
}): JSX.Element {
  const { title, summary, times, lines, show, heightPx = 170 } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const shape = `${lines.map(({ name }) => name).join()} ${isDark.value}`;

  // It is made anew when its lines or the colours change, and else told the data below.
  useEffect(() => {
    const box = place.current!;
    const made = new uPlot(
      optionsOf({ lines, show, width: box.clientWidth, heightPx }),
      dataOf(times, lines),
      box,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: heightPx }));
    resized.observe(box);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [shape, heightPx]);

  useEffect(() => plot.current?.setData(dataOf(times, lines)), [times, lines]);

  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        <span class="legend">
          {lines.map(({ name, colour, dash }) => (
            <span key={name}>
              <svg width="18" height="8" aria-hidden="true">
                <line
                  x1="0"
                  x2="18"
                  y1="4"
                  y2="4"
                  stroke={`var(${colour})`}
                  stroke-width="2.5"
                  stroke-dasharray={dash?.join(' ')}
                />
              </svg>
              {name}
            </span>
          ))}
        </span>
        <span class="unseen">{summary}</span>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function dataOf(times: number[], lines: ChartLine[]): uPlot.AlignedData {
  return [times, ...lines.map(({ values }) => values)];
}

const axisCharPx = 7;

function optionsOf(at: {
  lines: ChartLine[];
  show: (value: number) => string;
  width: number;
  heightPx: number;
}): uPlot.Options {
  const { lines, show, width, heightPx } = at;
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width: Math.max(width, 100),
    height: heightPx,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 1) * 1.1)] } },
    axes: [
      { ...axis, space: 70, size: 26, values: timeLabels },
      {
        ...axis,
        space: 34,
        size: (_plot, values) => 14 + axisCharPx * Math.max(2, ...(values ?? []).map((text) => text.length)),
        values: (_plot, ticks) => ticks.map((tick) => show(tick)),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: colour(line.colour),
        width: 2,
        points: { show: (plot: uPlot) => plot.data[0].length < 3 },
        ...(line.dash && { dash: line.dash }),
        ...(line.filled && { fill: `${colour(line.colour)}22` }),
      })),
    ],
  };
}

/** By twenty-four hours, as the tables have it: seconds, minutes, days or months, whatever lies between two ticks. */
function timeLabels(_plot: uPlot, ticks: number[], _axis: number, _space: number, step: number): string[] {
  const style: Intl.DateTimeFormatOptions =
    step < 60
      ? { hour: '2-digit', minute: '2-digit', second: '2-digit' }
      : step < 86_400
        ? { hour: '2-digit', minute: '2-digit' }
        : { day: 'numeric', month: 'short' };
  const format = new Intl.DateTimeFormat('en-GB', style);
  return ticks.map((tick) => format.format(new Date(tick * 1_000)));
}
