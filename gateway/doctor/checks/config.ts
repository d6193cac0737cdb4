// What the gateway takes and its operator will regret: open doors, limits the cloud does have, consumers that do not fit their queues.

import { quotas, quotaValues } from '../../access/quotas.ts'
import { targetName } from '../../actions/aws-errors.ts'
import { isLoopback, portsOf, tlsOf } from '../../config.ts'
import { GatewayError, textOf } from '../../errors.ts'
import type { CheckTable } from '../check.ts'
import type { Estate } from '../estate.ts'

const plainDoors = ['mqtt', 'mqttWs', 'http', 'websocket'] as const

/** The longest of six handler timeouts fits a visibility timeout, so that a batch that is retried is not seen twice [AWS Lambda with SQS]. */
const timeoutsPerVisibility = 6

/** What a consumer's queue says of itself, where it is known. */
function consumersIn({ config, queues }: Estate) {
  return (config?.config.consumers ?? []).map((consumer, index) => {
    const isName = !/^https?:/.test(consumer.queue)
    return { consumer, index, file: config!.path, isName, queue: queues.find(({ name }) => name === targetName(consumer.queue)) }
  })
}

export const configChecks = {
  'door-without-tls': {
    severity: 'warning',
    means: 'a door without TLS on an address that others reach: passwords, tokens and readings travel in the clear',
    fix: 'turn the plain doors off, give certs, and use mqtts, https and websockets; or listen on 127.0.0.1',
    *find({ config }) {
      if (!config || isLoopback(config.config.host)) return
      const open = plainDoors.filter((door) => config.config.listen[door] !== 'off')
      if (open.length > 0) yield { file: config.path, field: 'host', text: `${config.config.host} opens ${open.join(', ')} without TLS` }
    },
  },
  'admin-public': {
    severity: 'error',
    means: 'the admin port on an address that others reach: it asks nobody who they are, and sends commands to devices',
    fix: 'leave listen.adminHost at 127.0.0.1, with a proxy that authenticates in front for who must reach it; or set listen.admin to off',
    *find({ config }) {
      if (!config) return
      const { admin, adminHost } = config.config.listen
      if (admin !== 'off' && !isLoopback(adminHost))
        yield { file: config.path, field: 'listen.adminHost', text: `the admin port listens on ${adminHost}` }
    },
  },
  'tls-missing': {
    severity: 'error',
    means: 'a TLS door without certificates: the gateway does not start',
    fix: 'give tls or certs; `weir certs mint` makes them',
    *find({ config }) {
      try {
        if (config) portsOf(config.config)
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
        yield { file: config!.path, field: 'listen', text: textOf(error) }
      }
    },
  },
  'nobody-may-connect': {
    severity: 'warning',
    means: 'a gateway for other machines without a registry: only clients on its own machine need no credentials',
    fix: 'give access.things, or certs',
    *find({ config, things }) {
      if (config && !isLoopback(config.config.host) && !things && !tlsOf(config.config))
        yield { file: config.path, field: 'access.things', text: 'nobody on another machine can authenticate' }
    },
  },
  'limits-looser': {
    severity: 'warning',
    means: "limits above AWS IoT Core's: what works here fails there",
    fix: 'leave access.limits at aws where the fleet is to move to AWS',
    *find({ config }) {
      if (!config) return
      const values = quotaValues(config.config.access.limits)
      const looser = (Object.keys(values) as (keyof typeof values)[]).filter((name) => {
        const { value } = quotas[name]
        return name === 'minKeepAliveSeconds' ? values[name] < value : values[name] > value
      })
      if (looser.length > 0)
        yield {
          file: config.path,
          field: 'access.limits',
          text: `looser than AWS: ${looser.length > 4 ? `${looser.length} limits` : looser.join(', ')}`,
        }
    },
  },
  'consumer-queue-unknown': {
    severity: 'error',
    means: 'a consumer of a queue nobody makes',
    fix: 'add it to the resources, or mend the name',
    *find(estate) {
      for (const { consumer, index, file, isName, queue } of consumersIn(estate)) {
        if (estate.knowsResources && isName && !queue)
          yield { file, field: `consumers[${index}].queue`, text: `no queue of the resources is called ${consumer.queue}` }
      }
    },
  },
  'consumer-gives-up-late': {
    severity: 'warning',
    means: 'a consumer that would try more often than the queue lets it: SQS buries the message first, without the cause',
    fix: 'set maxReceives below maxReceiveCount of the queue',
    *find(estate) {
      for (const { consumer, index, file, queue } of consumersIn(estate)) {
        const most = queue?.redrive?.maxReceiveCount
        if (most !== undefined && consumer.maxReceives > most)
          yield {
            file,
            field: `consumers[${index}].maxReceives`,
            text: `it tries ${consumer.maxReceives} times, and ${queue!.name} allows ${most}`,
          }
      }
    },
  },
  'visibility-timeout': {
    severity: 'note',
    means:
      "a handler timeout above a sixth of its queue's visibility timeout: a Lambda function with it sees messages twice, and AWS refuses one with more than the whole",
    fix: 'the stack of weir raises the visibility timeout by itself; for a function of your own, set it to six times the timeout',
    *find(estate) {
      const raw = (estate.config?.raw as { readonly consumers?: readonly { readonly handlerTimeout?: string }[] } | undefined)?.consumers
      for (const { consumer, index, file, queue } of consumersIn(estate)) {
        // The default is the gateway's own; only what somebody chose for a function is held against the queue.
        if (!queue || raw?.[index]?.handlerTimeout === undefined) continue
        const seconds = (consumer.handlerTimeout * timeoutsPerVisibility) / 1_000
        if (queue.visibilityTimeoutSeconds < seconds)
          yield {
            file,
            field: `consumers[${index}].handlerTimeout`,
            text: `${queue.name} hides a message ${queue.visibilityTimeoutSeconds} s; the handler asks for ${seconds} s`,
          }
      }
    },
  },
} as const satisfies CheckTable
