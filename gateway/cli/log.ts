// Where a command's log goes: JSON lines into a pipe or a file, coloured text on a terminal.
import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock as clock } from '../../lib/clock.ts'
import { createLog, type Log, type LogLevel } from '../observe/log.ts'
import { createPretty } from './pretty.ts'

export function createStdoutLog(level: LogLevel): Log {
  if (!process.stdout.isTTY) return createLog({ level, destination: process.stdout, clock })
  const pretty = createPretty({ colour: true })
  return createLog({ level, destination: { write: (line) => process.stdout.write(pretty(line)) }, clock })
}

/** Starts the file anew. */
export function createFileLog(path: string, level: LogLevel): Log {
  mkdirSync(dirname(path), { recursive: true })
  return createLog({ level, destination: createWriteStream(path), clock })
}
