// Writes docs/actions.md from the schemas, so that the page cannot say what the code does not do.
import { z } from 'zod'
import { type ActionName, actionNames, actions } from './index.ts'
import { isLocalOnly } from './params.ts'

interface JsonSchema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly description?: string
  readonly localOnly?: boolean
}

const head = `<!-- generated from gateway/actions, do not edit -->
# Rule actions

An entry of a rule's \`actions\`, and its \`errorAction\`, is an object with exactly one member: the name of an action, and its
parameters. Names and meanings are those of AWS IoT Core, so the same rule file deploys there. What is marked **local** is more than
AWS has: \`weir doctor\` lists where a rule uses it.

A text parameter that "may be a template" can hold substitution templates such as \`\${topic(3)}\`, evaluated on the original message.
Queues and topics may be called by their bare name.

A delivery is retried for as long as that can help. An unavailable target is probed now and then while
its messages wait in the spool. What was refused for good goes to the rule's \`errorAction\`, in AWS's envelope, without
hosts, paths and ARNs: those are in the log. \`http\` keeps AWS's own rule instead:
at most three attempts within its timeout.
`

const foot = `## Delivery

| | |
|---|---|
| Idempotency | every attempt for one message, rule and action carries the same key: attribute \`messageId\` (SQS, SNS), header \`idempotency-key\` (HTTP), \`MessageDeduplicationId\` (FIFO). The id of a republished message is derived from it |
| Order | on a FIFO queue a message is sent when the one ahead of it in its group has been accepted or refused for good, so no retry lets a later one overtake. Elsewhere there is no order |
| Tenants | \`groupId\` on a standard queue is the tenant: \`MessageGroupId\` for AWS's fair queues, and the attribute \`tenant\` for consumers |
| Characters | SQS and SNS carry the XML character set. Other bodies are refused with BODY_NOT_TEXT, unless \`useBase64\` is set. Inside JSON, characters above U+FFFF are sent as escapes |
| Size | SQS 1 MiB, SNS 256 KiB, attributes included; more is refused with BODY_TOO_LARGE |
| Loops | a message is republished at most eight times, then refused with REPUBLISH_LOOP |

## Packs

SQS bills requests, and a call costs the gateway the same whatever it carries. With \`pack\` many readings travel in one message, per queue
and tenant:

\`\`\`
[["01JZ….telemetry.0",21],["01JZ….telemetry.0",20]]     one line of JSON: key and length in bytes of each reading
{"temperature":-18.5}                                   the readings in the same order, each ended by a line feed
{"temperature":-17.2}
\`\`\`

The message attribute \`pack\` marks such a message and says how many readings it has; there is no \`messageId\`, because each reading has its
own key in the index. \`lib/pack.ts\` unpacks it. In exchange a reading waits up to \`lingerMs\`, and a consumer on AWS must know the format:
AWS's own rule action does not pack.
`

export function toActionsPage(): string {
  return [head, ...actionNames.map(toSection), foot].join('\n')
}

function toSection(name: ActionName): string {
  const { summary, params } = actions[name]
  const schema = z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  const rows = toRows(schema, '')
  return [
    `## ${name}${isLocalOnly(params) ? ' (local)' : ''}`,
    '',
    summary,
    '',
    '| parameter | type | default | |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

function toRows({ properties = {}, required = [] }: JsonSchema, prefix: string): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const inner = schema.items?.properties
      ? { schema: schema.items, prefix: `${prefix}${name}[].` }
      : { schema, prefix: `${prefix}${name}.` }
    const missing = required.includes(name) ? 'required' : schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``
    const text = `${schema.localOnly ? '**local** ' : ''}${schema.description ?? ''}`
    return [
      `| \`${prefix}${name}\` | ${toType(schema)} | ${missing} | ${text.replaceAll('|', '\\|')} |`,
      ...toRows(inner.schema, inner.prefix),
    ]
  })
}

function toType({ type = '', enum: values, const: value, anyOf, items, minimum, maximum }: JsonSchema): string {
  if (anyOf) return anyOf.map(toType).join(' or ')
  if (value !== undefined) return `\`${JSON.stringify(value)}\``
  if (values) return values.map((each) => `\`${each}\``).join(' or ')
  if (items) return `list of ${toType(items)}s`
  return type === 'integer' && minimum !== undefined && maximum !== undefined ? `integer, ${minimum} to ${maximum}` : type
}
