// A log line as people read it: time, level, event, and the fields that matter.
import pinoPretty from 'pino-pretty'
import { printable, printableJson } from '../../lib/printable.ts'

export interface PrettyOptions {
  readonly colour: boolean
}

/** One JSON line in, one or more lines of text out. Text that is not JSON comes back as it is. */
export function createPretty({ colour }: PrettyOptions): (line: string) => string {
  const format = pinoPretty.prettyFactory({
    colorize: colour,
    colorizeObjects: colour,
    messageKey: 'event',
    timestampKey: 'time',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  })
  return (line) => format(readable(line.trimEnd())) ?? ''
}

/** pino-pretty writes some fields as they are, and colours with the same escape sequences that a client could send. */
function readable(line: string): unknown {
  try {
    return printableJson(JSON.parse(line))
  } catch {
    return printable(line)
  }
}
