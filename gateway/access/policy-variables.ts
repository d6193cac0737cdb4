// What a policy can ask about a connection: its condition keys, and the `${…}` variables made of them.
import { any, one, type Piece } from './wildcards.ts'

/** A certificate's attributes under AWS's names; values in the order of the certificate. */
export interface PolicyCertificate {
  readonly CertificateId?: string | undefined
  readonly SerialNumber?: string | undefined
  readonly AvailableKeys?: string | undefined
  /** `CommonName`, `Organization` …, and alternative names as `AlternativeName.DNSName` … */
  readonly Subject?: Readonly<Record<string, readonly string[]>> | undefined
  readonly Issuer?: Readonly<Record<string, readonly string[]>> | undefined
}

/** What is known of whoever asks. A fact that is absent leaves its variables unresolved. */
export interface PolicyContext {
  readonly clientId?: string | undefined
  /** The registered thing whose name is the client id. */
  readonly thing?: PolicyThing | null | undefined
  readonly certificate?: PolicyCertificate | null | undefined
  readonly sourceIp?: string | undefined
  /** The host name of the TLS handshake. */
  readonly domainName?: string | undefined
  /** Of a CONNECT: `PersistentConnect`, `LastWill`. */
  readonly connectAttributes?: readonly string[] | undefined
  /** Of a CONNECT with a will: the ARN of its topic. */
  readonly lastWillTopic?: string | undefined
  /** Milliseconds since the epoch, for aws:CurrentTime and aws:EpochTime. */
  readonly now?: (() => number) | undefined
  /** Leaves variables unresolved whose value contains `+` or `#`, as AWS does for certificate attributes. */
  readonly withoutWildcards?: true
}

export interface PolicyThing {
  readonly name: string
  readonly attachedToPrincipal?: boolean | undefined
  readonly thingTypeName?: string | undefined
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

/** A text is a single value, a list a set of them, undefined a key that the request does not have. */
export type Fact = string | readonly string[] | undefined

export interface Key {
  readonly read: (context: PolicyContext) => Fact
  /** As a `${…}`: text, or undefined when it stays unresolved. */
  readonly substitute: (context: PolicyContext) => string | undefined
  /** The answer changes while a connection lasts. */
  readonly volatile: boolean
}

/** Condition keys are not case sensitive [IAM condition element]. */
const keys: Readonly<Record<string, (context: PolicyContext) => Fact>> = {
  'iot:clientid': ({ clientId }) => clientId,
  'iot:domainname': ({ domainName }) => domainName,
  'iot:connectattributes': ({ connectAttributes }) => connectAttributes ?? [],
  'iot:lastwilltopic': ({ lastWillTopic }) => lastWillTopic,
  'iot:connection.thing.thingname': ({ thing }) => thing?.name,
  'iot:connection.thing.thingtypename': ({ thing }) => thing?.thingTypeName,
  'iot:connection.thing.isattached': ({ thing, clientId }) =>
    thing || clientId !== undefined ? String(thing?.attachedToPrincipal ?? false) : undefined,
  'iot:certificateid': ({ certificate }) => certificate?.CertificateId,
  'iot:certificate.serialnumber': ({ certificate }) => certificate?.SerialNumber,
  'iot:certificate.availablekeys': ({ certificate }) => certificate?.AvailableKeys,
  'aws:sourceip': ({ sourceIp }) => sourceIp,
  'aws:currenttime': ({ now }) => now && new Date(now()).toISOString(),
  'aws:epochtime': ({ now }) => now && String(Math.floor(now() / 1_000)),
}

const volatileKeys: ReadonlySet<string> = new Set(['aws:currenttime', 'aws:epochtime'])

const thingAttribute = /^iot:connection\.thing\.attributes\[(.+)\]$/i
const certificateAttribute = /^iot:certificate\.(subject|issuer)\.((?:alternativename\.)?[a-z][a-z0-9]*)(?:\.(\d+|list))?$/i

export function compileKey(name: string): Key {
  const lower = name.toLowerCase()
  const [, attribute] = thingAttribute.exec(name) ?? []
  if (attribute !== undefined) return plain(({ thing }) => own(thing?.attributes, attribute))
  const [, holder, field, index] = certificateAttribute.exec(name) ?? []
  if (holder && field) return certificateKey(holder.toLowerCase() === 'subject' ? 'Subject' : 'Issuer', field, index?.toLowerCase())
  const read = own(keys, lower)
  return { ...plain(read ?? (() => undefined)), volatile: volatileKeys.has(lower) }
}

function plain(read: Key['read']): Key {
  return { read, substitute: (context) => single(read(context)), volatile: false }
}

const single = (fact: Fact) => (typeof fact === 'string' ? fact : undefined)

const own = <T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  record && Object.hasOwn(record, key) ? record[key] : undefined

/** Only so many values of one attribute exist for policies [AWS iot cert-policy-variables]. */
const maxValues = 5
const maxSubstituteCharacters = 1_024

/** The plain name is the first value, `.1` the second, `.List` the set of all. */
function certificateKey(holder: 'Subject' | 'Issuer', field: string, index: string | undefined): Key {
  const valuesIn = ({ certificate }: PolicyContext) => {
    const attributes = certificate?.[holder] ?? {}
    const name = Object.keys(attributes).find((key) => key.toLowerCase() === field.toLowerCase())
    return name === undefined ? [] : attributes[name]!.slice(0, maxValues)
  }
  if (index === 'list') return plain((context) => valuesIn(context).map(escapeValue))
  const at = Number(index ?? 0)
  // Zero has no index: it is the plain name.
  const valueIn = (context: PolicyContext) => (index !== undefined && at === 0 ? undefined : valuesIn(context)[at])
  return {
    read: (context) => escapeDefined(valueIn(context)),
    substitute: (context) => {
      const value = valueIn(context)
      return value === undefined || /[*$+?#]/.test(value) || value.length > maxSubstituteCharacters ? undefined : escapeValue(value)
    },
    volatile: false,
  }
}

const escapeValue = (value: string) => value.replace(/[,"\\+=<>;]/g, '\\$&')
const escapeDefined = (value: string | undefined) => (value === undefined ? undefined : escapeValue(value))

/** A text of a policy with its variables in place. */
export interface Template {
  /** undefined: a variable in it has no value here, and then it matches nothing. */
  readonly resolve: (context: PolicyContext) => readonly Piece[] | undefined
  readonly constant: boolean
  readonly volatile: boolean
}

/** `*` and `?` are wildcards, `${*}`, `${?}` and `${$}` the characters themselves, any other `${…}` a variable. */
export function parseTemplate(text: string): Template {
  const parts = [...text.matchAll(/\$\{([^}]*)\}|[*?]|\$|[^*?$]+/g)].map(([whole, name]) => toPart(whole, name))
  const variables = parts.filter((part) => typeof part === 'object')
  if (variables.length === 0) {
    const pieces = parts as readonly Piece[]
    return { resolve: () => pieces, constant: true, volatile: false }
  }
  return {
    resolve(context) {
      const pieces = parts.map((part) => (typeof part === 'object' ? substituteIn(part, context) : part))
      return pieces.every((piece) => piece !== undefined) ? pieces : undefined
    },
    constant: false,
    volatile: variables.some((key) => key.volatile),
  }
}

function substituteIn(key: Key, context: PolicyContext): string | undefined {
  const value = key.substitute(context)
  return value !== undefined && context.withoutWildcards && /[+#]/.test(value) ? undefined : value
}

/** The variables in a text, each once, as they are written between the braces. */
export const variablesIn = (text: string): readonly string[] =>
  [...new Set([...text.matchAll(/\$\{([^}]*)\}/g)].map(([, name = '']) => name))].filter((name) => !/^[*?$]$/.test(name))

function toPart(whole: string, name: string | undefined): Piece | Key {
  if (name === undefined) return whole === '*' ? any : whole === '?' ? one : whole
  return name === '*' || name === '?' || name === '$' ? name : compileKey(name)
}
