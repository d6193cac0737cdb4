// Starts, supervises and stops the embedded SQS and SNS: fauxqs in a process of its own, so that the gateway's core stays free.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import { backoffMs } from '../../lib/backoff.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { abortable } from '../../lib/stop-signal.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Fields } from '../observe/events.ts'
import type { Observe } from '../observe/observe.ts'

export const localSchema = z.strictObject({
  port: z.number().int().min(0).max(65_535).default(4566).describe('port of the embedded SQS and SNS; 0 means any free one'),
  persist: z.boolean().default(false).describe('keep queues and their messages on disk across restarts (slower: about 2,700 messages/s)'),
})

export interface Local {
  /** `http://127.0.0.1:4566` */
  readonly endpoint: string
  readonly port: number
  /** Calls back when a process that ended by itself was started again. In-memory queues are gone then: create them. */
  onRestart(recreate: () => Promise<void>): void
  stop(): Promise<void>
}

export interface LocalOptions {
  readonly port: number
  readonly region: string
  /** Absent: everything is in memory and gone with the process. */
  readonly dataDir?: string
  /** Host names that requests may name besides loopback names and IP literals. */
  readonly allowHosts?: readonly string[]
  readonly observe: Observe
  /** Aborts a start that is still under way. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  readonly random?: () => number
}

interface Running {
  readonly child: ChildProcess
  readonly port: number
  /** Resolves with why the process ended: `SIGKILL`, or `exit code 1`. */
  readonly ended: Promise<string>
}

const host = '127.0.0.1'
/** The first restart waits at most 100 ms. */
const restartBackoff = { baseMs: 100, capMs: 10_000 }
/** A process that ran for this long starts the back-off from the beginning. */
const stableMs = 10_000

/** Resolves when the endpoint answers. Rejects with PORT_IN_USE, LOCAL_FAILED or the reason of the signal. */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const { observe, dataDir, signal, clock = systemClock, random = systemRandom() } = options
  const stopping = new AbortController()
  let recreate = async () => {}
  let running: Running | undefined = await startChild(options, signal)
  const { port } = running

  /** Starts the process on the same port, as often as it takes. Returns the number of attempts. */
  const restart = async (attempt: number): Promise<number> => {
    for (let attempts = attempt; ; attempts++) {
      await clock.sleep(backoffMs(restartBackoff, attempts, random), stopping.signal)
      try {
        running = await startChild({ ...options, port }, stopping.signal)
        return attempts + 1
      } catch (error) {
        if (stopping.signal.aborted) throw error
        observe.record('gateway.degraded', { code: 'LOCAL_FAILED', detail: `${textOf(error)}; the start is tried again` })
      }
    }
  }

  const supervise = async () => {
    let attempts = 0
    for (;;) {
      const startedAt = clock.monotonic()
      const reason = await running!.ended
      if (stopping.signal.aborted) return
      running = undefined
      if (clock.monotonic() - startedAt > stableMs) attempts = 0
      const detail = endedText(reason, dataDir !== undefined)
      observe.record('local.ended', { outcome: dataDir === undefined ? 'lost' : 'kept', detail })
      observe.record('gateway.degraded', { code: 'LOCAL_FAILED', detail })
      attempts = await restart(attempts)
      await recreate()
      observe.record('gateway.recovered', { code: 'LOCAL_FAILED' })
    }
  }
  const supervised = supervise().catch(() => undefined) // only the stop ends its sleep or its start

  return {
    endpoint: `http://${host}:${port}`,
    port,
    onRestart(callback) {
      recreate = callback
    },
    async stop() {
      stopping.abort(new Error('the embedded SQS and SNS are stopped'))
      running?.child.send('stop', () => undefined) // it may be gone by itself
      await running?.ended
      await supervised
    },
  }
}

function endedText(reason: string, persistent: boolean): string {
  const what = `the embedded SQS and SNS ended (${reason}) and are started again`
  if (persistent) return `${what}: their queues are on disk, so no message is lost`
  return `${what}: the messages in their in-memory queues are lost; set local.persist to keep queues on disk`
}

async function startChild({ port, region, dataDir, allowHosts = [], observe }: LocalOptions, signal?: AbortSignal): Promise<Running> {
  signal?.throwIfAborted()
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const child = fork(new URL(`./child.${extension}`, import.meta.url), [String(port), host, region, dataDir ?? '', ...allowHosts], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const ended = new Promise<string>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)))
  const ready = readyPort(child, ended, port)
  const actual = await (signal ? abortable(ready, signal) : ready).catch((error) => {
    child.kill('SIGKILL') // the child ignores the other signals
    throw error
  })
  child.on('message', ({ untrusted }: { readonly untrusted?: Fields }) => {
    if (untrusted) observe.record('caller.untrusted', untrusted)
  })
  return { child, port: actual, ended }
}

async function readyPort(child: ChildProcess, ended: Promise<string>, port: number): Promise<number> {
  const gone = ended.then((reason) => [{ error: `the process ended at once (${reason})` }])
  const [answer] = (await Promise.race([once(child, 'message'), gone])) as [{ port?: number; error?: string }]
  if (answer.port !== undefined) return answer.port
  if (answer.error === 'EADDRINUSE')
    throw new GatewayError('PORT_IN_USE', `port ${port} is in use: choose another with --aws-port (0 = any free)`)
  throw new GatewayError('LOCAL_FAILED', `the embedded SQS and SNS did not start: ${answer.error}`)
}
