// The queue that `queueUrl` names: a bare name, or a URL whose host no message can choose, because the credentials go there.
import type { Aws } from '../aws/clients.ts'
import { isSqsUrl } from '../aws/sqs-hosts.ts'
import { GatewayError } from '../errors.ts'
import type { ActionDeps, Delivery } from './action.ts'
import { isTemplate } from './params.ts'
import { fixedOriginOf, parseWebUrl } from './web-url.ts'

/** [AWS CreateQueue] */
const queueName = /^[\w-]{1,75}(?:\.fifo|[\w-]{0,5})$/

/** Whether the text before the first `${` fixes what kind of value the template makes: a queue name, or a URL at one host. */
export function fixesHost(queueUrl: string): boolean {
  if (!isTemplate(queueUrl)) return !isUrl(queueUrl) || parseWebUrl(queueUrl) !== undefined
  const [start] = queueUrl.split('${', 1)
  return /^[\w-]+$/.test(start!) || fixedOriginOf(queueUrl) !== undefined
}

/** Throws RULE_INVALID when the host of a URL is neither one of SQS nor the configured endpoint. */
export function bindQueueUrl(queueUrl: string, { aws, template }: Pick<ActionDeps, 'aws' | 'template'>): (delivery: Delivery) => string {
  const origin = isUrl(queueUrl) ? originOf(queueUrl, aws) : undefined
  if (!isTemplate(queueUrl)) {
    const url = aws.queueUrl(queueUrl)
    return () => url
  }
  const fill = template(queueUrl)
  if (origin === undefined) return (delivery) => aws.queueUrl(checkedName(fill(delivery)))
  return (delivery) => checkedUrl(fill(delivery), origin)
}

function isUrl(queueUrl: string): boolean {
  return /^https?:/i.test(queueUrl)
}

function originOf(queueUrl: string, aws: Aws): string {
  const origin = isTemplate(queueUrl) ? fixedOriginOf(queueUrl) : parseWebUrl(queueUrl)?.origin
  const configured = new URL(aws.queueUrl('queue')).origin
  if (origin !== undefined && (origin === configured || isSqsUrl(new URL(origin)))) return origin
  const why = `its host is neither one of SQS nor the configured endpoint ${configured}, and would receive the credentials`
  throw new GatewayError('RULE_INVALID', `sqs.queueUrl: "${queueUrl}": ${why}; write the name of the queue`)
}

function checkedName(name: string): string {
  if (queueName.test(name)) return name
  throw refused('queueUrl made a text for this message that is not a queue name')
}

function checkedUrl(text: string, origin: string): string {
  const name = text.slice(text.lastIndexOf('/') + 1)
  if (parseWebUrl(text)?.origin === origin && queueName.test(name)) return text
  throw refused('queueUrl made a text for this message that is not the URL of a queue at its host')
}

function refused(why: string): GatewayError {
  return new GatewayError('ACTION_REFUSED', why, { details: { action: 'sqs' } })
}
