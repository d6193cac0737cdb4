// An action of AWS::IoT::TopicRule as the action of a rule file that does the same here.

/** The key of a rule's metadata under which an action's index has what is run here in its place. */
export const localActions = 'weir:actions'

/** What a rule file may say, or why this cannot be run. */
export type Translated = { readonly action: Readonly<Record<string, unknown>> } | { readonly unsupported: string }

type Params = Readonly<Record<string, unknown>>

/** The part of a queue's URL, or of an ARN, that names it here. */
export const lastOf = (text: unknown): string => /[^/:]*$/.exec(String(text))![0]

const rows: Readonly<Record<string, (params: Params) => Translated>> = {
  Sqs({ QueueUrl, UseBase64 }) {
    const queueUrl = templateSafe(QueueUrl)
    if (queueUrl.endsWith('.fifo')) return { unsupported: "AWS's SQS action cannot send to a FIFO queue" }
    return { action: { sqs: { queueUrl, ...given({ useBase64: toBoolean(UseBase64) }) } } }
  },
  Sns: ({ TargetArn, MessageFormat }) => ({
    action: { sns: { targetArn: templateSafe(TargetArn), ...given({ messageFormat: MessageFormat }) } },
  }),
  Republish: ({ Topic, Qos, Headers }) => ({
    action: { republish: { topic: Topic, ...given({ qos: Qos === undefined ? undefined : Number(Qos), headers: camelCase(Headers) }) } },
  }),
  Http({ Url, ConfirmationUrl, Headers, Auth }) {
    if (Auth !== undefined) return { unsupported: 'the HTTP action is not signed here' }
    return { action: { http: { url: Url, ...given({ confirmationUrl: ConfirmationUrl, headers: camelCase(Headers) }) } } }
  },
  CloudwatchLogs: () => ({ action: { log: {} } }),
}

/** `instead` is what the rule's metadata has for this action. */
export function translateAction(entry: Params, instead: unknown): Translated {
  if (typeof instead === 'object' && instead !== null) return { action: { ...instead } }
  const [name = '', params] = Object.entries(entry)[0] ?? []
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined
  if (row) return row((params ?? {}) as Params)
  return { unsupported: `the action ${name} is not run here; ${Object.keys(rows).join(', ')} are` }
}

/** Slashes and colons inside a template are not the URL's: `…/telemetry-${topic(3)}` is the queue `telemetry-${topic(3)}`. */
function templateSafe(text: unknown): string {
  const whole = String(text)
  const start = whole.indexOf('${')
  return start === -1 ? lastOf(whole) : lastOf(whole.slice(0, start)) + whole.slice(start)
}

function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.charAt(0).toLowerCase() + key.slice(1), camelCase(inner)]))
}

/** CloudFormation takes `"true"` for true. */
export const toBoolean = (value: unknown): boolean | undefined => (value === undefined ? undefined : String(value) === 'true')

export function given(values: Params): Params {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
