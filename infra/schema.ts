// A template held against AWS's own description of every resource type: names, required properties, types and enumerations.
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec'

type Database = ReturnType<typeof loadAwsServiceSpecSync>
type ResourceType = NonNullable<ReturnType<typeof lookUp>>
type Properties = ResourceType['properties']
type PropertyType = Properties[string]['type']

export interface TemplateResource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>
  readonly [section: string]: unknown
}

const resourceKeys = new Set([
  ...['Type', 'Properties', 'Metadata', 'DependsOn', 'Condition'],
  ...['DeletionPolicy', 'UpdateReplacePolicy', 'UpdatePolicy', 'CreationPolicy'],
])

let database: Database | undefined

/** One sentence for each problem; none for a template that CloudFormation would take as far as a schema can tell. */
export function validateTemplate(template: Template): readonly string[] {
  database ??= loadAwsServiceSpecSync()
  const db = database
  return Object.entries(template.Resources).flatMap(([id, resource]) => [
    ...Object.keys(resource)
      .filter((key) => !resourceKeys.has(key))
      .map((key) => `${id}.${key} is not an attribute of a resource`),
    ...checkProperties(db, id, resource),
    ...checkReferences(db, template, id, resource),
  ])
}

function lookUp(db: Database, type: string) {
  return [...db.lookup('resource', 'cloudFormationType', 'equals', type)][0]
}

function checkProperties(db: Database, id: string, { Type, Properties = {} }: TemplateResource): readonly string[] {
  if (Type === 'AWS::CDK::Metadata') return []
  const known = lookUp(db, Type)
  return known ? checkObject(db, Properties, known.properties, `${id} (${Type})`) : [`${id}: resource type ${Type} does not exist`]
}

function checkObject(db: Database, value: object, properties: Properties, at: string): readonly string[] {
  const missing = Object.entries(properties).filter(([name, { required }]) => required && !Object.hasOwn(value, name))
  return [
    ...missing.map(([name]) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, inner]) => {
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (!property) return [`${at}.${name} is not a known property`]
      const types = [property.type, ...(property.previousTypes ?? [])]
      return firstFit(types.map((type) => check(db, inner, type, `${at}.${name}`)))
    }),
  ]
}

/** The complaints of the type that fits best. */
const firstFit = (complaints: readonly (readonly string[])[]): readonly string[] =>
  complaints.find(({ length }) => length === 0) ?? complaints[0] ?? []

function check(db: Database, value: unknown, type: PropertyType, at: string): readonly string[] {
  if (isIntrinsic(value)) return []
  const expected = (what: string, fits: boolean) => (fits ? [] : [`${at} is ${JSON.stringify(value)}; expected ${what}`])
  switch (type.type) {
    case 'string': {
      const { allowedValues } = type
      return allowedValues
        ? expected(`one of ${allowedValues.join(', ')}`, allowedValues.includes(String(value)))
        : expected('text', isScalar(value))
    }
    case 'date-time':
      return expected('text', typeof value === 'string')
    case 'number':
      return expected('a number', isNumber(value))
    case 'integer':
      return expected('a whole number', isNumber(value) && Number.isInteger(Number(value)))
    case 'boolean':
      return expected('true or false', typeof value === 'boolean' || value === 'true' || value === 'false')
    case 'null':
      return expected('nothing', value === null)
    case 'json':
      return expected('an object', (typeof value === 'object' && value !== null) || typeof value === 'string')
    case 'tag':
      return expected('Key and Value', isObject(value) && 'Key' in value && 'Value' in value)
    case 'array':
      return Array.isArray(value) ? value.flatMap((item, i) => check(db, item, type.element, `${at}[${i}]`)) : expected('a list', false)
    case 'map':
      return isObject(value)
        ? Object.entries(value).flatMap(([key, item]) => check(db, item, type.element, `${at}.${key}`))
        : expected('an object', false)
    case 'union':
      return firstFit(type.types.map((one) => check(db, value, one, at)))
    case 'ref':
      return isObject(value)
        ? checkObject(db, value, db.get('typeDefinition', type.reference).properties, at)
        : expected('an object', false)
    default:
      return type satisfies never
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isScalar = (value: unknown) => ['string', 'number', 'boolean'].includes(typeof value)
const isNumber = (value: unknown) => typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value))

/** What an intrinsic function gives is known to CloudFormation only. */
function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false
  const [name, ...others] = Object.keys(value)
  return others.length === 0 && name !== undefined && (name === 'Ref' || name.startsWith('Fn::'))
}

/** `Ref` and `Fn::GetAtt` must mean something that is there. */
function checkReferences(db: Database, template: Template, id: string, value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => checkReferences(db, template, id, item))
  if (!isObject(value)) return []
  const { Ref: name, 'Fn::GetAtt': attribute } = value
  if (typeof name === 'string') return isNamed(template, name) ? [] : [`${id} refers to ${name}, which is not there`]
  if (Array.isArray(attribute)) return checkAttribute(db, template, id, String(attribute[0]), attribute[1])
  return Object.values(value).flatMap((item) => checkReferences(db, template, id, item))
}

function isNamed(template: Template, name: string): boolean {
  const parameters = (template.Parameters ?? {}) as object
  return name.startsWith('AWS::') || Object.hasOwn(template.Resources, name) || Object.hasOwn(parameters, name)
}

function checkAttribute(db: Database, { Resources }: Template, id: string, target: string, attribute: unknown): readonly string[] {
  const resource = Resources[target]
  if (!resource) return [`${id} refers to ${target}, which is not there`]
  const known = lookUp(db, resource.Type)
  const exists = !known || typeof attribute !== 'string' || Object.hasOwn(known.attributes, attribute)
  return exists ? [] : [`${id} asks ${target} (${resource.Type}) for ${attribute}, which it does not have`]
}
