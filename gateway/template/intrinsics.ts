// CloudFormation's intrinsic functions, as far as a template without an account can answer them: Ref, Fn::GetAtt, Fn::Sub and Fn::Join.
import { nearest } from '../../lib/nearest.ts'
import { GatewayError } from '../errors.ts'

export interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
  readonly Metadata?: Readonly<Record<string, unknown>>
  readonly Condition?: string
}

export interface Template {
  readonly Parameters?: Readonly<Record<string, { readonly Default?: unknown }>>
  readonly Resources: Readonly<Record<string, Resource>>
}

export interface Place {
  readonly region: string
  readonly accountId: string
}

/** A value with every intrinsic function in it answered. Throws CONFIG_INVALID, with the path, for what cannot be. */
export type Resolve = (value: unknown, at: string) => unknown

/** What `Ref` and `Fn::GetAtt` say of a resource. */
interface Identity {
  readonly name: string
  readonly ref: string
  readonly attributes: Readonly<Record<string, string>>
}

const partition = 'aws'

export function createResolver(template: Template, { region, accountId }: Place): Resolve {
  const pseudo: Readonly<Record<string, string>> = {
    'AWS::Region': region,
    'AWS::AccountId': accountId,
    'AWS::Partition': partition,
    'AWS::URLSuffix': 'amazonaws.com',
    'AWS::StackName': 'weir',
  }

  const suggest = (id: string) => {
    const known = [...Object.keys(template.Resources), ...Object.keys(template.Parameters ?? {})]
    const meant = nearest(id, known)
    return meant === undefined ? `it has ${known.join(', ')}` : `did you mean "${meant}"?`
  }

  const refuse = (at: string, why: string) => new GatewayError('CONFIG_INVALID', `${at}: ${why}`)

  const identityOf = (id: string, at: string): Identity => {
    const resource = Object.hasOwn(template.Resources, id) ? template.Resources[id] : undefined
    if (!resource) throw refuse(at, `"${id}" is not a resource or a parameter of this template; ${suggest(id)}`)
    const name = nameOf(id, resource, (value) => String(resolve(value, `Resources.${id}`)))
    return describe(resource.Type, name, { region, accountId })
  }

  const ref = (id: string, at: string): unknown => {
    if (Object.hasOwn(pseudo, id)) return pseudo[id]
    const { [id]: parameter } = template.Parameters ?? {}
    if (!parameter) return identityOf(id, at).ref
    if (parameter.Default === undefined) throw refuse(at, `the parameter ${id} has no default`)
    return parameter.Default
  }

  const attribute = (id: string, name: string, at: string): string => {
    const { attributes } = identityOf(id, at)
    const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined
    if (value === undefined)
      throw refuse(at, `attribute "${name}" of ${id} is known to AWS only; known here are ${Object.keys(attributes).join(', ')}`)
    return value
  }

  const substitute = (argument: unknown, at: string): string => {
    const [text, values = {}] = Array.isArray(argument) ? argument : [argument]
    if (typeof text !== 'string' || Object(values) !== values)
      throw refuse(at, 'Fn::Sub needs a text, or a list of a text and an object of values')
    return text.replaceAll(/\$\{(!?)([^}]*)\}/g, (_, literal: string, name: string) => {
      if (literal) return `\${${name}}` // a template of the rule itself, such as ${topic(3)}
      const own = values as Readonly<Record<string, unknown>>
      if (Object.hasOwn(own, name)) return String(resolve(own[name], at))
      const [id = '', ...path] = name.split('.')
      return path.length === 0 ? String(ref(id, at)) : attribute(id, path.join('.'), at)
    })
  }

  const functions: Readonly<Record<string, (argument: unknown, at: string) => unknown>> = {
    Ref(argument, at) {
      if (typeof argument !== 'string')
        throw refuse(at, `Ref is ${JSON.stringify(argument)}; expected the name of a resource or a parameter`)
      return ref(argument, at)
    },
    'Fn::GetAtt'(argument, at) {
      const [id, ...path]: readonly unknown[] = typeof argument === 'string' ? argument.split('.') : Array.isArray(argument) ? argument : []
      if (typeof id !== 'string' || path.length === 0 || path.some((part) => typeof part !== 'string'))
        throw refuse(at, `Fn::GetAtt is ${JSON.stringify(argument)}; expected a resource and an attribute, such as ["Queue", "Arn"]`)
      return attribute(id, path.join('.'), at)
    },
    'Fn::Sub': substitute,
    'Fn::Join': (argument, at) => {
      const [separator, list] = Array.isArray(argument) ? argument : []
      const parts = resolve(list, at)
      const isText = (part: unknown) => typeof part === 'string' || typeof part === 'number'
      if (typeof separator !== 'string' || !Array.isArray(parts) || !parts.every(isText))
        throw refuse(at, 'Fn::Join needs a separator and a list of texts')
      return parts.map(String).join(separator)
    },
  }

  const resolve: Resolve = (value, at) => {
    if (Array.isArray(value)) return value.map((item, index) => resolve(item, `${at}[${index}]`))
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value)
    const [name, argument] = entries[0] ?? ['', undefined]
    const call = entries.length === 1 && Object.hasOwn(functions, name) ? functions[name] : undefined
    if (call) return call(argument, at)
    if (entries.length === 1 && name.startsWith('Fn::'))
      throw refuse(at, `${name} is not resolved here; ${Object.keys(functions).join(', ')} are`)
    return Object.fromEntries(entries.map(([key, item]) => [key, resolve(item, `${at}.${key}`)]))
  }
  return resolve
}

/** Where types keep the name that a person gave. */
const nameProperties = ['QueueName', 'TopicName', 'RuleName', 'PolicyName', 'FunctionName', 'RoleName', 'ThingTypeName', 'TemplateName']

/** The given name; the logical id where AWS would make one up. */
export function nameOf(id: string, { Type, Properties = {} }: Resource, text: (value: unknown) => string): string {
  const property = nameProperties.find((name) => Properties[name] !== undefined && Type !== 'AWS::SNS::Subscription')
  if (property !== undefined) return text(Properties[property])
  return Type === 'AWS::SQS::Queue' && String(Properties.FifoQueue) === 'true' ? `${id}.fifo` : id
}

function describe(type: string, name: string, { region, accountId }: Place): Identity {
  const [, service = '', kind = ''] = type.toLowerCase().split('::')
  const arn = (resource: string) => `arn:${partition}:${service}:${region}:${accountId}:${resource}`
  switch (type) {
    case 'AWS::SQS::Queue': {
      const url = `https://sqs.${region}.amazonaws.com/${accountId}/${name}`
      return { name, ref: url, attributes: { Arn: arn(name), QueueName: name, QueueUrl: url } }
    }
    case 'AWS::SNS::Topic':
      return { name, ref: arn(name), attributes: { TopicArn: arn(name), TopicName: name } }
    case 'AWS::IoT::TopicRule':
      return { name, ref: name, attributes: { Arn: arn(`rule/${name}`) } }
    case 'AWS::Lambda::Function':
      return { name, ref: name, attributes: { Arn: arn(`function:${name}`) } }
    default:
      return { name, ref: name, attributes: { Arn: arn(`${kind}/${name}`) } }
  }
}
