// Writes what a fleet sends into a file that it can replay: one JSON line for each reading.
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { openPrivate } from '../lib/private-files.ts'
import type { Reading } from './drivers/driver.ts'
import { FleetError } from './errors.ts'

export interface Recorder {
  record(reading: Reading, at: number, clientId: string): void
  /** Resolves when everything is in the file; rejects with a FleetError when it could not be written. */
  stop(): Promise<void>
}

export function createRecorder(file: string): Recorder {
  const stream = createWriteStream(file, { fd: openRecording(file) })
  const written = finished(stream).catch((error: Error) => {
    throw new FleetError(`cannot record to ${file}: ${error.message}`)
  })
  written.catch(() => undefined)
  return {
    record({ topic, payload, qos }, at, device) {
      stream.write(`${JSON.stringify({ at: Math.round(at * 1_000) / 1_000, device, topic, qos, ...toText(payload) })}\n`)
    },
    stop() {
      stream.end()
      return written
    },
  }
}

function openRecording(file: string): number {
  try {
    return openPrivate(file, 'w')
  } catch (error) {
    throw new FleetError(`cannot record to ${file}: ${(error as Error).message}`)
  }
}

/** Text where the bytes are text, base64 where they are not: either way the same bytes come back. */
function toText(payload: Uint8Array): { readonly payload: string } | { readonly payloadBase64: string } {
  const text = Buffer.from(payload).toString()
  return Buffer.from(text).equals(payload) ? { payload: text } : { payloadBase64: Buffer.from(payload).toString('base64') }
}
