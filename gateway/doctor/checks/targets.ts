// Checks the targets that actions name: missing queues and topics, and addresses that AWS does not accept.
import { isTemplate } from '../../actions/params.ts'
import { isSqsUrl } from '../../aws/sqs-hosts.ts'
import { actionsTo } from '../actions.ts'
import type { Check, CheckTable, Found } from '../check.ts'
import type { Estate } from '../estate.ts'
import { patternOf } from '../templates.ts'

const topicArn = /^arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$/
const queuePath = /^\/\d{12}\/[\w-]{1,75}(\.fifo)?$/

/** A name of this account: no URL and no ARN. Only resources describe these. */
const isBare = (target: string) => !target.startsWith('arn:') && !/^https?:/.test(target)

function isQueueUrl(target: string): boolean {
  const url = URL.parse(target)
  return url !== null && isSqsUrl(url) && queuePath.test(url.pathname) && `${url.origin}${url.pathname}` === target
}

/** Finds bare names that the resources do not describe. */
function unknown(noun: string, described: (estate: Estate) => readonly { readonly name: string }[]): Check['find'] {
  return function* find(estate): Iterable<Found> {
    if (!estate.knowsResources) return
    const names = described(estate).map(({ name }) => name)
    for (const { rule, field, target } of actionsTo(estate, noun)) {
      const pattern = patternOf(target)
      if (isBare(target) && !names.some((name) => pattern.test(name)))
        yield { file: rule.path, field, text: `no ${noun} of the resources is called ${target}` }
    }
  }
}

/** Finds URLs and ARNs that are not `form`. */
function misaddressed(noun: string, isRight: (target: string) => boolean, form: string): Check['find'] {
  return function* find(estate): Iterable<Found> {
    for (const { rule, field, target } of actionsTo(estate, noun)) {
      if (!isBare(target) && !isTemplate(target) && !isRight(target)) yield { file: rule.path, field, text: `"${target}" is not ${form}` }
    }
  }
}

export const targetChecks = {
  'fifo-target': {
    severity: 'warning',
    means: "a FIFO queue as the target of a rule: AWS's own sqs action sends to standard queues only",
    fix: 'deploy through a function that sends with the message group, as the stack does, or use a standard queue',
    *find(estate) {
      for (const { rule, field, target } of actionsTo(estate, 'queue')) {
        if (target.endsWith('.fifo')) yield { file: rule.path, field, text: `${target} is a FIFO queue` }
      }
    },
  },
  'queue-unknown': {
    severity: 'error',
    means: 'a rule that sends to a queue that the resources do not describe',
    fix: 'add the queue to the resources, or correct the name',
    find: unknown('queue', ({ queues }) => queues),
  },
  'queue-url': {
    severity: 'error',
    means: 'a queue URL that is not one of SQS: it works with an emulator only',
    fix: 'write the bare name of the queue, which means its URL here and on AWS',
    find: misaddressed('queue', isQueueUrl, 'the URL of an SQS queue; write https://sqs.<region>.amazonaws.com/<account>/<queue>'),
  },
  'topic-unknown': {
    severity: 'error',
    means: 'a rule that publishes to an SNS topic that the resources do not describe',
    fix: 'add the topic to the resources, or correct the name',
    find: unknown('topic', ({ topics }) => topics),
  },
  'topic-arn': {
    severity: 'error',
    means: 'a target of SNS that is not the ARN of a topic',
    fix: 'write the bare name of the topic, or arn:aws:sns:<region>:<account>:<name>',
    find: misaddressed('topic', (arn) => topicArn.test(arn), 'the ARN of an SNS topic; write arn:aws:sns:<region>:<account>:<topic>'),
  },
  'http-not-https': {
    severity: 'error',
    means: 'an http action that AWS cannot make: it accepts only https:// on port 443 or 8443',
    fix: 'serve the target over TLS on one of these ports',
    *find(estate) {
      for (const { rule, field, target } of actionsTo(estate, 'URL')) {
        if (isTemplate(target.split('/', 3).join('/'))) continue
        const { protocol, port } = new URL(target.replaceAll('${', '%24%7B'))
        if (protocol !== 'https:' || !['', '443', '8443'].includes(port))
          yield { file: rule.path, field, text: 'AWS takes only https:// on port 443 or 8443' }
      }
    },
  },
} as const satisfies CheckTable
