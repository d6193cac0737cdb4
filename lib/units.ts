// Durations, rates and sizes as people write them: `500ms`, `10s`, `20/s`, `64MiB`.

const durations: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizes: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** `'90s'` → 90000. Undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  return parseUnits(text, durations)
}

/** `'20/s'` or `'3/m'` → events per second. Undefined when the text is not a rate. */
export function parseRate(text: string): number | undefined {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\/(s|m|h)$/.exec(text.trim()) ?? []
  return count && unit ? (Number(count) * 1_000) / durations[unit]! : undefined
}

/** `'64MiB'` → 67108864. Undefined when the text is not a size. */
export function parseSize(text: string): number | undefined {
  return parseUnits(text, sizes)
}

/** 90000 → `'1m 30s'`; below a second, `'350ms'`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`
  const seconds = Math.round(ms / 1_000)
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const
  return parts
    .filter(([n]) => n > 0)
    .slice(0, 2)
    .map(([n, unit]) => `${n}${unit}`)
    .join(' ')
}

/** 67108864 → `'64.0 MiB'`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let index = 0
  let value = bytes
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024
    index++
  }
  return index === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[index]}`
}

function parseUnits(text: string, table: Readonly<Record<string, number>>): number | undefined {
  const [, count, unit] = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]+)$/.exec(text.trim()) ?? []
  const factor = unit === undefined || !Object.hasOwn(table, unit) ? undefined : table[unit]
  return count === undefined || factor === undefined ? undefined : Number(count) * factor
}
