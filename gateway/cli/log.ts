// Where a command's log goes: JSON lines into a pipe or a file, coloured text on a terminal.
import { createWriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock as clock } from '../../lib/clock.ts'
import { openPrivate } from '../../lib/private-files.ts'
import { GatewayError } from '../errors.ts'
import { createLog, type Log, type LogLevel } from '../observe/log.ts'
import { makeDataDir } from './data-dir.ts'
import { createPretty } from './pretty.ts'

export function createStdoutLog(level: LogLevel): Log {
  if (!process.stdout.isTTY) return createLog({ level, destination: process.stdout, clock })
  const pretty = createPretty({ colour: true })
  return createLog({ level, destination: { write: (line) => process.stdout.write(pretty(line)) }, clock })
}

/** Starts the file anew. Throws DATA_DIR_UNUSABLE where it cannot be written. */
export function createFileLog(path: string, level: LogLevel): Log {
  makeDataDir(dirname(path))
  return createLog({ level, destination: createWriteStream(path, { fd: openLog(path) }), clock })
}

function openLog(path: string): number {
  try {
    return openPrivate(path, 'w')
  } catch (cause) {
    throw new GatewayError('DATA_DIR_UNUSABLE', `${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
}
