// Starts and stops the embedded SQS and SNS: fauxqs in a process of its own, so that the gateway's core stays free.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import { abortable } from '../../lib/stop-signal.ts'
import { GatewayError } from '../errors.ts'
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
}

const host = '127.0.0.1'

/** Resolves when the endpoint answers. Rejects with PORT_IN_USE, LOCAL_FAILED or the reason of the signal. */
export async function startLocal({ port, region, dataDir, allowHosts = [], observe, signal }: LocalOptions): Promise<Local> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const child = fork(new URL(`./child.${extension}`, import.meta.url), [String(port), host, region, dataDir ?? '', ...allowHosts], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const ready = readyPort(child, port)
  const actual = await (signal ? abortable(ready, signal) : ready).catch((error) => {
    child.kill('SIGKILL') // the child ignores the other signals
    throw error
  })
  child.on('message', ({ untrusted }: { readonly untrusted?: Fields }) => {
    if (untrusted) observe.record('caller.untrusted', untrusted)
  })
  let stopping = false
  child.once('exit', () => {
    if (!stopping)
      observe.record('gateway.degraded', { code: 'LOCAL_FAILED', detail: 'the embedded SQS and SNS stopped; restart the gateway' })
  })
  return {
    endpoint: `http://${host}:${actual}`,
    port: actual,
    async stop() {
      if (stopping || !child.connected) return
      stopping = true
      const exited = once(child, 'exit')
      child.send('stop', () => undefined) // it may be gone by itself
      await exited
    },
  }
}

async function readyPort(child: ChildProcess, port: number): Promise<number> {
  const exited = once(child, 'exit').then(() => [{ error: 'the process ended at once' }])
  const [answer] = (await Promise.race([once(child, 'message'), exited])) as [{ port?: number; error?: string }]
  if (answer.port !== undefined) return answer.port
  if (answer.error === 'EADDRINUSE')
    throw new GatewayError('PORT_IN_USE', `port ${port} is in use: choose another with --aws-port (0 = any free)`)
  throw new GatewayError('LOCAL_FAILED', `the embedded SQS and SNS did not start: ${answer.error}`)
}
