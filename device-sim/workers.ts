// One fleet over several threads: each runs every so many devices, and what they came to is added up.
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Slice } from './device.ts'
import { FleetError } from './errors.ts'
import type { FleetOptions } from './fleet.ts'
import type { Outcome } from './outcome.ts'
import type { FleetProgress } from './report.ts'
import type { Scenario } from './scenario.ts'
import { worstOf } from './worst.ts'

export interface Task {
  readonly scenario: Scenario
  readonly slice: Slice
}

export type Told =
  | { readonly kind: 'progress'; readonly progress: FleetProgress }
  | { readonly kind: 'done'; readonly outcome: Outcome }
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: 1 | 2 }

/** Rejects with the first failure, after the others were told to stop. */
export async function runInWorkers(scenario: Scenario, { signal, onProgress, ...alone }: FleetOptions): Promise<readonly Outcome[]> {
  if (Object.values(alone).some((option) => option !== undefined))
    throw new FleetError('with several workers a run can neither be recorded nor be followed in a queue', 2)
  const count = Math.min(scenario.workers, scenario.devices)
  const latest = new Map<number, FleetProgress>()
  const threads = Array.from({ length: count }, (_, worker) => createThread({ scenario, slice: { worker, workers: count } }))
  const stop = () => threads.forEach((thread) => void thread.stop())
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  const outcomes = threads.map((thread, worker) =>
    thread.run((progress) => {
      latest.set(worker, progress)
      if (worker === 0 && latest.size === count) onProgress?.(addUp([...latest.values()]))
    }),
  )
  try {
    return await Promise.all(outcomes)
  } catch (error) {
    stop()
    await Promise.allSettled(outcomes)
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

function createThread(task: Task) {
  const thread = new Worker(new URL(`./worker${extname(import.meta.filename)}`, import.meta.url), { workerData: task })
  return {
    stop: () => thread.postMessage('stop'),
    run: (onProgress: (progress: FleetProgress) => void): Promise<Outcome> =>
      new Promise((resolve, reject) => {
        thread.on('message', (told: Told) => {
          if (told.kind === 'progress') onProgress(told.progress)
          else if (told.kind === 'done') resolve(told.outcome)
          else reject(new FleetError(told.message, told.exitCode))
        })
        thread.on('error', reject)
        thread.on('exit', () => reject(new FleetError('a worker ended before its work')))
      }),
  }
}

/** Of latencies that cannot be added while they grow, the worst worker's. */
function addUp(all: readonly FleetProgress[]): FleetProgress {
  const add = (of: (progress: FleetProgress) => number) => all.reduce((total, progress) => total + of(progress), 0)
  const [slowest] = all.toSorted((a, b) => (b.ackMs?.p99 ?? 0) - (a.ackMs?.p99 ?? 0))
  return {
    ...slowest!,
    devices: add(({ devices }) => devices),
    connected: add(({ connected }) => connected),
    sent: add(({ sent }) => sent),
    acked: add(({ acked }) => acked),
    failed: add(({ failed }) => failed),
    dropped: add(({ dropped }) => dropped),
    late: add(({ late }) => late),
    takenOver: add(({ takenOver }) => takenOver),
    shortLived: add(({ shortLived }) => shortLived),
    bytesSent: add(({ bytesSent }) => bytesSent),
    bytesReceived: add(({ bytesReceived }) => bytesReceived),
    worst: worstOf(all.flatMap(({ worst = [] }) => worst)),
  }
}
