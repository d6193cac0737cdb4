// The English words of the calendar, and how a pattern of letters is cut into fields (U-34).

export const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
export const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

export const short = (word: string) => word.slice(0, 3)

export interface PatternPart {
  /** A pattern letter, or '' for literal text. */
  readonly letter: string
  /** How often the letter stands there, or the text. */
  readonly count: number
  readonly text: string
}

/** `yyyy-MM-dd'T'HH` cut into runs of one letter and literal text. Undefined for an unclosed quote where `closed` is asked for. */
export function cutPattern(pattern: string, closed: boolean): readonly PatternPart[] | undefined {
  const parts: PatternPart[] = []
  for (const [run] of pattern.matchAll(/([A-Za-z])\1*|'(?:[^']|'')*(?:'|$)|[^A-Za-z']/gs)) {
    if (run[0] !== "'") parts.push(/[A-Za-z]/.test(run) ? { letter: run[0]!, count: run.length, text: '' } : literal(run))
    else if (run === "''") parts.push(literal("'"))
    else if (closed && (run.length === 1 || !run.endsWith("'"))) return undefined
    else parts.push(literal(run.replace(/^'/, '').replace(/'$/, '').replaceAll("''", "'")))
  }
  return parts
}

function literal(text: string): PatternPart {
  return { letter: '', count: 0, text }
}

/** ISO 8601: weeks start on Monday, and the first one has the year's first Thursday. `local` is a local time as if it were UTC. */
export function isoWeek(local: number): { readonly year: number; readonly week: number; readonly day: number } {
  const date = new Date(local)
  const day = ((date.getUTCDay() + 6) % 7) + 1
  const thursday = new Date(Date.UTC(1970, 0, 1))
  thursday.setUTCFullYear(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 4 - day)
  return { year: thursday.getUTCFullYear(), week: Math.floor(dayOfYear(thursday.getTime()) / 7) + 1, day }
}

/** 0 for the first of January. */
export function dayOfYear(local: number): number {
  const date = new Date(local)
  const first = new Date(0).setUTCFullYear(date.getUTCFullYear(), 0, 1)
  return Math.floor((local - first) / 86_400_000)
}
