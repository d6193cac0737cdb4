// What an identified connection may do, asked in MQTT's words and answered with a refusal or nothing.
import { GatewayError } from '../errors.ts'
import type { Arns } from './arn.ts'
import type { Identity } from './identity.ts'
import type { Verdict } from './policy.ts'

export interface Will {
  readonly topic: string
  readonly retain: boolean
}

export interface Authorizer {
  /** The will is authorised here, as a publish of its own [AWS iot mqtt last will]. */
  connect(asked: { readonly persistent: boolean; readonly will?: Will }): GatewayError | undefined
  publish(topic: string, retain: boolean): GatewayError | undefined
  subscribe(filter: string): GatewayError | undefined
  /** Asked at every delivery: a refused one is dropped without a word. */
  receive(topic: string): GatewayError | undefined
}

/** Details of a refusal name the action, the decision and the statement; none of it is for the client. */
export function createAuthorizer({ policies, context }: Pick<Identity, 'policies' | 'context'>, arns: Arns): Authorizer {
  const bound = policies.bind(context)
  const publish = (topic: string, retain: boolean) => {
    const resource = arns.topic(topic)
    const refused = refusalOf('iot:Publish', bound.decide('iot:Publish', resource))
    return refused ?? (retain ? refusalOf('iot:RetainPublish', bound.decide('iot:RetainPublish', resource)) : undefined)
  }
  /** A client that connects as `+` must not turn `my/${iot:ClientId}/topic` into a filter that covers all clients. AWS grants that. */
  const borrowed = (resource: string) => {
    const { decision } = policies.bind({ ...context, withoutWildcards: true }).decide('iot:Subscribe', resource)
    if (decision === 'allow') return undefined
    return new GatewayError('NOT_AUTHORIZED', 'iot:Subscribe: a + or # of the filter comes from a policy variable', {
      details: { action: 'iot:Subscribe', decision },
    })
  }
  return {
    connect({ persistent, will }) {
      const connectAttributes = [...(persistent ? ['PersistentConnect'] : []), ...(will ? ['LastWill'] : [])]
      const lastWillTopic = will && arns.topic(will.topic)
      const verdict = policies
        .bind({ ...context, connectAttributes, lastWillTopic })
        .decide('iot:Connect', arns.client(context.clientId ?? ''))
      return refusalOf('iot:Connect', verdict) ?? (will && publish(will.topic, will.retain))
    },
    publish,
    subscribe(filter) {
      const resource = arns.topicFilter(filter)
      const refused = refusalOf('iot:Subscribe', bound.decide('iot:Subscribe', resource))
      return refused || !/[+#]/.test(filter) ? refused : borrowed(resource)
    },
    receive: (topic) => refusalOf('iot:Receive', bound.decide('iot:Receive', arns.topic(topic))),
  }
}

function refusalOf(action: string, { decision, by }: Verdict): GatewayError | undefined {
  if (decision === 'allow') return undefined
  const why = decision === 'explicitDeny' ? 'a policy denies it' : 'no policy allows it'
  return new GatewayError('NOT_AUTHORIZED', `${action}: ${why}`, { details: { action, decision, ...by } })
}
