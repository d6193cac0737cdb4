// Where SQS and SNS are: an embedded pair started here, an endpoint that is up already, or AWS; and what must be there before a gateway can deliver.
import { backoffMs } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { answerText } from '../aws/answer.ts'
import { type Aws, createAws } from '../aws/clients.ts'
import type { Observe } from '../observe/observe.ts'
import { type Local, type LocalOptions, startLocal } from './local.ts'
import { ensureResources, type Resources } from './resources.ts'

export interface ReachOptions {
  /** `embedded`, `aws`, or a URL. */
  readonly endpoint: string
  readonly accountId: string
  /** Of the embedded pair. */
  readonly local: LocalOptions
  /** Default: true. */
  readonly fastPaths?: boolean
}

export interface Reached {
  readonly aws: Aws
  /** The embedded pair. */
  readonly local?: Pick<Local, 'port' | 'onRestart'>
  stop(): Promise<void>
}

export async function reachAws({ endpoint, accountId, local: options, fastPaths = true }: ReachOptions): Promise<Reached> {
  const local = endpoint === 'embedded' ? await startLocal(options) : undefined
  const url = local?.endpoint ?? (endpoint === 'aws' ? undefined : endpoint)
  const aws = createAws({ region: options.region, accountId, fastPaths, ...(url === undefined ? {} : { endpoint: url }) })
  return {
    aws,
    ...(local && { local }),
    async stop() {
      aws.stop()
      await local?.stop()
    },
  }
}

export interface PrepareDeps {
  readonly observe: Observe
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
}

/** Waits for the first try only: a gateway whose queues are away starts degraded, says so, and goes on trying until the signal. */
export async function prepareResources(aws: Aws, resources: Resources, target: string, deps: PrepareDeps): Promise<void> {
  const { observe, clock, random, signal } = deps
  const attempt = async () => {
    try {
      aws.isReady = false
      await ensureResources(aws, resources)
      aws.isReady = true
      return true
    } catch (error) {
      if (!signal.aborted)
        observe.record('gateway.degraded', {
          target,
          code: 'QUEUE_UNREACHABLE',
          detail: `${target === 'embedded' ? 'the embedded SQS' : target} ${answerText(error)}`,
        })
      return false
    }
  }
  const goOn = async () => {
    for (let attempts = 0; !signal.aborted; attempts++) {
      await clock.sleep(500 + backoffMs({ baseMs: 500, capMs: 10_000 }, attempts, random), signal)
      if (await attempt()) return observe.record('gateway.recovered', { target })
    }
  }
  if (!(await attempt())) goOn().catch(() => undefined) // only the stop ends its sleep early
}
