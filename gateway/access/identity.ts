// Who a connection is: certificate, password or token in; principal, thing, tenant and policies out.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { GatewayError } from '../errors.ts'
import { type DeviceCertificate, readCertificate } from './certificate.ts'
import { compilePolicies, type Policies } from './policy.ts'
import type { PolicyContext, PolicyThing } from './policy-variables.ts'
import { createVerifier, type Proof as SecretProof, type Verifier } from './secrets.ts'
import { sourceKeyOf } from './source-address.ts'
import type { Login, Thing, Things } from './things.ts'

export const identitySchema = z.strictObject({
  things: z
    .string()
    .optional()
    .describe('path of things.json: things, certificates, users, tokens and their policies; read anew when it changes'),
  anonymous: z
    .enum(['loopback', 'off'])
    .default('loopback')
    .describe('who needs no credentials: clients on this machine, which may then do anything, or nobody'),
})

export type IdentityConfig = z.infer<typeof identitySchema>

/** What a door knows of whoever connects. */
export interface Credentials {
  /** DER or PEM of the client certificate, already verified against the CA and proven by the TLS handshake. */
  readonly certificate?: Uint8Array | string
  readonly username?: string
  readonly password?: string
  /** From `Authorization: Bearer`. */
  readonly token?: string
  /** Absent on HTTP. */
  readonly clientId?: string
  readonly sourceIp?: string
  /** The host name of the TLS handshake. */
  readonly domainName?: string
  /** Both ends of the connection are on this machine. */
  readonly loopback: boolean
}

export interface Identity {
  readonly kind: 'certificate' | 'user' | 'token' | 'anonymous'
  /** Certificate id, or the name of a user or a token; absent for anonymous clients. */
  readonly principal?: string
  /** The tenant of the principal's own things, whatever client id it uses. */
  readonly tenant?: string
  readonly policies: Policies
  /** For `policies.bind`; a CONNECT adds its attributes and its will. */
  readonly context: PolicyContext
  /** The same credentials in the registry as it is now. Throws NOT_AUTHENTICATED when they no longer stand. */
  renewed(): Identity
}

export interface IdentityOptions {
  /** Asked at each connect, so that a registry read anew counts at once. */
  readonly things: () => Things
  readonly anonymous: IdentityConfig['anonymous']
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'sleep'>
  readonly verifier?: Verifier
}

export interface Identities {
  /** Throws NOT_AUTHENTICATED; RATE_EXCEEDED when too many passwords are being checked. Wrong credentials never become anonymous. */
  identify(credentials: Credentials): Promise<Identity>
}

const everything = compilePolicies([{ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }])

export function createIdentities({ things, anonymous, clock, verifier = createVerifier({ clock }) }: IdentityOptions): Identities {
  const known = (principal: string, asked: Asked, proof: Proof): Identity => {
    const { kind } = proof
    const registry = things()
    const login = standing(proof, registry, clock)
    const tenant = login?.tenant ?? tenantOf(registry.thingsOf(principal), asked.clientId)
    return {
      kind,
      principal,
      ...(tenant === undefined ? {} : { tenant }),
      policies: registry.policiesOf(principal, login?.policies),
      context: contextOf(asked, { registry, principal, clock, ...(kind === 'certificate' ? proof : {}) }),
      renewed: () => known(principal, asked, proof),
    }
  }
  return {
    async identify(credentials) {
      const { certificate, username, password, token, loopback, clientId, sourceIp, domainName } = credentials
      // Secrets are for now, not to be kept.
      const asked: Asked = { clientId, sourceIp, domainName }
      const check = (kind: 'user' | 'token', name: string, secret: string) =>
        checkLogin(verifier, things()[kind](name), { name: `${kind} ${name}`, secret, source: sourceKeyOf(sourceIp) })
      if (certificate !== undefined) {
        const read = readOrRefuse(certificate)
        return known(read.id, asked, { kind: 'certificate', certificate: read })
      }
      if (token !== undefined) {
        const [name = '', ...secret] = token.split('.')
        const login = await check('token', name, secret.join('.'))
        return known(login.name, asked, { kind: 'token', hash: login.hash, name: login.name })
      }
      if (username !== undefined || password !== undefined) {
        const login = await check('user', username ?? '', password ?? '')
        return known(login.name, asked, { kind: 'user', hash: login.hash, name: login.name })
      }
      if (anonymous !== 'loopback' || !loopback) throw new GatewayError('NOT_AUTHENTICATED', 'credentials are needed')
      const nobody = (): Identity => ({
        kind: 'anonymous',
        policies: everything,
        context: contextOf(asked, { registry: things(), clock }),
        renewed: nobody,
      })
      return nobody()
    },
  }
}

/** Of a connection, for as long as it lasts. */
interface Asked {
  readonly clientId: string | undefined
  readonly sourceIp: string | undefined
  readonly domainName: string | undefined
}

/** What was shown once, and is held against the registry whenever that changes. */
type Proof =
  | { readonly kind: 'certificate'; readonly certificate: DeviceCertificate }
  | { readonly kind: 'user' | 'token'; readonly name: string; readonly hash: string }

/** The login in the registry as it is; none of a certificate. Throws NOT_AUTHENTICATED. */
function standing(proof: Proof, registry: Things, clock: Pick<Clock, 'now'>): Login | undefined {
  if (proof.kind === 'certificate') return checkCertificate(proof.certificate, registry, clock)
  const login = registry[proof.kind](proof.name)
  if (login?.hash !== proof.hash) throw new GatewayError('NOT_AUTHENTICATED', `the ${proof.kind} is gone or has another secret`)
  return login
}

function checkCertificate(certificate: DeviceCertificate, things: Things, clock: Pick<Clock, 'now'>): undefined {
  const refuse = (why: string) =>
    new GatewayError('NOT_AUTHENTICATED', `the certificate ${why}`, { details: { certificateId: certificate.id } })
  const status = things.certificateStatus(certificate.id)
  if (status === undefined) throw refuse('is not registered')
  if (status !== 'ACTIVE') throw refuse(status === 'REVOKED' ? 'was revoked' : 'is not active')
  const now = clock.now()
  if (now < certificate.notBefore) throw refuse('is not valid yet')
  if (now > certificate.notAfter) throw refuse('has expired')
}

function readOrRefuse(bytes: Uint8Array | string): DeviceCertificate {
  try {
    return readCertificate(bytes)
  } catch (cause) {
    throw new GatewayError('NOT_AUTHENTICATED', 'the certificate cannot be read', { cause })
  }
}

/** The same answer for a wrong name and a wrong secret. */
async function checkLogin(verifier: Verifier, login: Login | undefined, claim: Omit<SecretProof, 'stored'>): Promise<Login> {
  const right = await verifier.verify({ ...claim, stored: login?.hash })
  if (!right || !login) throw new GatewayError('NOT_AUTHENTICATED', 'the name or its secret is wrong')
  return login
}

/** A client id is only a claim: another thing's name does not bring its tenant. */
function tenantOf(attached: readonly Thing[], clientId: string | undefined): string | undefined {
  const own = attached.find(({ thingName }) => thingName === clientId)
  if (own) return own.tenant
  const tenants = new Set(attached.map(({ tenant }) => tenant))
  return tenants.size === 1 ? [...tenants][0] : undefined
}

interface ContextParts {
  readonly registry: Things
  readonly clock: Pick<Clock, 'now'>
  readonly principal?: string
  readonly certificate?: DeviceCertificate | undefined
}

/**
 * The thing is the one that the client id names, attached or not: policies ask `IsAttached` [AWS iot thing-policy-variables].
 * Without a client id, as on HTTP, it is the one thing that the principal speaks for, as with AWS's exclusive things.
 */
function contextOf({ clientId, sourceIp, domainName }: Asked, { registry, clock, principal, certificate }: ContextParts): PolicyContext {
  const thing = clientId === undefined ? only(registry.thingsOf(principal ?? '')) : registry.thing(clientId)
  return {
    clientId,
    sourceIp,
    domainName,
    thing: thing ? toPolicyThing(thing, principal) : null,
    certificate: certificate?.facts ?? null,
    now: () => clock.now(),
  }
}

const only = <T>(list: readonly T[]): T | undefined => (list.length === 1 ? list[0] : undefined)

function toPolicyThing({ thingName, thingTypeName, attributes, principals }: Thing, principal: string | undefined): PolicyThing {
  return { name: thingName, thingTypeName, attributes, attachedToPrincipal: principal !== undefined && principals.includes(principal) }
}
