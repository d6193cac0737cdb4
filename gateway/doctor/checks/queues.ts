// What is wrong with queues and topics: where failures go, how long things are kept, and who reads them.
import { quotas } from '../../access/quotas.ts'
import { targetName } from '../../actions/aws-errors.ts'
import { actionsNamed, actionsTo } from '../actions.ts'
import type { CheckTable } from '../check.ts'
import type { Estate } from '../estate.ts'
import type { QueueFacts } from '../queues.ts'
import { patternOf } from '../templates.ts'

const place = ({ file, field }: { readonly file: string; readonly field: string }) => ({ file, field })
const days = (seconds: number) => `${Math.round((seconds / 86_400) * 10) / 10} days`
/** Of the resources, of the template, and at AWS. */
const all = ({ queues, templateQueues, deployed }: Estate) => [
  ...queues,
  ...templateQueues,
  ...[...(deployed?.queues.values() ?? [])].filter((queue) => queue !== undefined),
]
const sources = (estate: Estate) => all(estate).filter(({ isDeadLetterQueue }) => !isDeadLetterQueue)

/** Below it, one slow deploy of a consumer fills the dead-letter queue [AWS sqs-dead-letter-queues; Lambda asks for 5]. */
const fewReceives = 5

export const queueChecks = {
  'queue-without-dlq': {
    severity: 'warning',
    means: 'a queue without a dead-letter queue: a message nobody can handle comes back until it expires',
    fix: 'give it a RedrivePolicy',
    *find(estate) {
      for (const queue of sources(estate)) if (!queue.redrive) yield { ...place(queue), text: `${queue.name} has no dead-letter queue` }
    },
  },
  'dlq-retention': {
    severity: 'warning',
    means:
      'a dead-letter queue that keeps messages no longer than its source: a message arrives there with its age, and may expire at once',
    fix: 'keep dead letters for 14 days and messages for less',
    *find(estate) {
      for (const queue of sources(estate)) {
        const kept = queue.redrive?.retentionSeconds
        if (kept !== undefined && kept <= queue.retentionSeconds)
          yield { ...place(queue), text: `${queue.name} keeps messages ${days(queue.retentionSeconds)}, its dead letters ${days(kept)}` }
      }
    },
  },
  'max-receive-count': {
    severity: 'warning',
    means: `fewer than ${fewReceives} receives before a message is dead: a consumer that restarts or is throttled buries good messages`,
    fix: `set maxReceiveCount to ${fewReceives} or more`,
    *find(estate) {
      for (const queue of sources(estate)) {
        const { maxReceiveCount = fewReceives } = queue.redrive ?? {}
        if (maxReceiveCount < fewReceives) yield { ...place(queue), text: `${queue.name} gives a message ${maxReceiveCount} receives` }
      }
    },
  },
  'fifo-suffix': {
    severity: 'warning',
    means: 'a name that looks like a FIFO queue and is a standard one',
    fix: 'end it in .fifo',
    *find(estate) {
      for (const queue of all(estate)) {
        if (!queue.fifo && /[-_]?fifo$/i.test(queue.name)) yield { ...place(queue), text: `${queue.name} is a standard queue` }
      }
    },
  },
  'fifo-content-deduplication': {
    severity: 'warning',
    means: 'a FIFO queue that takes equal bodies for one: two equal readings within five minutes become one',
    fix: 'turn ContentBasedDeduplication off; the message id is the deduplication id',
    *find(estate) {
      for (const queue of all(estate)) {
        if (queue.fifo && queue.contentBasedDeduplication) yield { ...place(queue), text: `${queue.name} drops bodies that are equal` }
      }
    },
  },
  'queue-message-size': {
    severity: 'error',
    means: 'a queue that takes less than a device may send, or than a pack may grow to',
    fix: 'leave MaximumMessageSize at 1 MiB',
    *find(estate) {
      for (const queue of all(estate)) {
        const needed = Math.max(quotas.payloadBytes.value, ...packsFor(queue, estate))
        if (!queue.isDeadLetterQueue && queue.maximumMessageSize < needed)
          yield { ...place(queue), text: `${queue.name} takes ${queue.maximumMessageSize} bytes, and bodies may have ${needed}` }
      }
    },
  },
  'queue-unused': {
    severity: 'note',
    means: 'a queue that no rule, topic or consumer names',
    fix: 'remove it, or leave it for whoever does',
    *find(estate) {
      // A rule that cannot be read may be the one that sends there.
      if (estate.problems.some(({ kind }) => kind === 'rule' || kind === 'sql' || kind === 'json')) return
      const used = usedQueues(estate)
      for (const queue of estate.queues) {
        if (!queue.isDeadLetterQueue && !used.some((pattern) => pattern.test(queue.name)))
          yield { ...place(queue), text: `nothing here sends to ${queue.name}` }
      }
    },
  },
  'topic-without-subscribers': {
    severity: 'warning',
    means: 'a topic nobody subscribes to: what is published there is gone',
    fix: 'give it a queue',
    *find({ topics }) {
      for (const topic of topics) if (topic.queues.length === 0) yield { ...place(topic), text: `nobody subscribes to ${topic.name}` }
    },
  },
  'subscription-queue-unknown': {
    severity: 'error',
    means: 'a topic that is to deliver to a queue nobody makes',
    fix: 'add the queue to the resources, or mend the name',
    *find({ topics, queues }) {
      for (const topic of topics) {
        for (const name of topic.queues) {
          if (!queues.some((queue) => queue.name === name))
            yield { file: topic.file, field: `${topic.field}.queues`, text: `no queue of the resources is called ${name}` }
        }
      }
    },
  },
  'subscription-fifo': {
    severity: 'error',
    means: 'a FIFO queue that subscribes to a standard topic: SNS refuses it',
    fix: 'subscribe a standard queue',
    *find({ topics }) {
      for (const topic of topics) {
        for (const name of topic.queues) {
          if (name.endsWith('.fifo')) yield { file: topic.file, field: `${topic.field}.queues`, text: `${name} is a FIFO queue` }
        }
      }
    },
  },
} as const satisfies CheckTable

function usedQueues(estate: Estate): readonly RegExp[] {
  const targets = actionsTo(estate, 'queue').map(({ target }) => target)
  const consumers = (estate.config?.config.consumers ?? []).flatMap(({ queue, sideline }) => [queue, ...(sideline ? [sideline.queue] : [])])
  const subscribed = estate.topics.flatMap(({ queues }) => queues)
  return [...targets, ...consumers, ...subscribed].map((target) => patternOf(target.includes('${') ? target : targetName(target)))
}

function packsFor(queue: QueueFacts, estate: Estate): readonly number[] {
  return actionsNamed(estate, 'sqs').flatMap(({ params: { pack, queueUrl } }) =>
    pack && patternOf(queueUrl).test(queue.name) ? [pack.maxBytes] : [],
  )
}
