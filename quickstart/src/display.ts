const WIDTH = 24;

/** Written over itself on a terminal, a line every tenth of the way elsewhere. Goes to stderr: stdout is for results. */
export class Progress {
  private readonly label: string;
  private tenth = -1;
  private readonly started = Date.now();

  constructor(label: string) {
    this.label = label;
  }

  show(done: number, total: number, detail = ''): void {
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const filled = Math.round(share * WIDTH);
    const seconds = (Date.now() - this.started) / 1000;
    const left = share > 0 ? `${Math.ceil((seconds / share) * (1 - share))} s left` : '';
    const line = `${this.label} [${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}] ${done}/${total} ${detail} ${left}`.trimEnd();
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}`);
    else if (Math.floor(share * 10) > this.tenth) process.stderr.write(`${line}\n`);
    this.tenth = Math.floor(share * 10);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\n');
  }
}

const BLOCKS = '▁▂▃▄▅▆▇█';

/** A curve of `height` text rows: values averaged into columns, the axis at the left. */
export function drawCurve(values: number[], width = 60, height = 8): string {
  if (values.length === 0) return '(no steps)';
  const columns = Array.from({ length: Math.min(width, values.length) }, (_, i, all = Math.min(width, values.length)) => {
    const part = values.slice(Math.floor((i * values.length) / all), Math.floor(((i + 1) * values.length) / all));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const top = Math.max(...columns);
  const lines: string[] = [];
  for (let row = height - 1; row >= 0; row--) {
    const cells = columns.map((value) => {
      const eighths = Math.round((value / (top || 1)) * height * 8) - row * 8;
      return eighths <= 0 ? ' ' : (BLOCKS[Math.min(8, eighths) - 1] ?? ' ');
    });
    const label = row === height - 1 ? top.toFixed(2) : row === 0 ? '0.00' : '';
    lines.push(`${label.padStart(6)} │${cells.join('')}`);
  }
  lines.push(`${' '.repeat(7)}└${'─'.repeat(columns.length)} ${values.length} steps`);
  return lines.join('\n');
}
