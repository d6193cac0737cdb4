// The thread that runs a part of a fleet for workers.ts.
import { parentPort, workerData } from 'node:worker_threads'
import { FleetError } from './errors.ts'
import { runSlice } from './fleet.ts'
import type { Task, Told } from './workers.ts'

const { scenario, slice } = workerData as Task
const port = parentPort!
const tell = (told: Told) => port.postMessage(told)
const stop = new AbortController()
port.on('message', () => stop.abort())

try {
  const outcome = await runSlice(scenario, { signal: stop.signal, onProgress: (progress) => tell({ kind: 'progress', progress }) }, slice)
  tell({ kind: 'done', outcome })
} catch (error) {
  tell({ kind: 'failed', message: (error as Error).message, exitCode: error instanceof FleetError ? error.exitCode : 1 })
}
port.close()
