// The routing table of the admin API. The document of the API is made from it, and is itself one of its routes.
import { Type } from 'typebox'
import { type JsonObject } from '../../model/json.js'
import { type AdminContext } from '../context.js'
import { type AdminRoute, adminRoute } from '../http/admin-route.js'
import { budgetRoutes } from './budgets.js'
import { configurationRoutes } from './configuration.js'
import { sessionRoutes } from './console/session.js'
import { tryRoutes } from './console/try.js'
import { keyRoutes } from './keys.js'
import { createAdminOpenApi } from './openapi.js'
import { providerRoutes } from './providers.js'
import { requestRoutes } from './requests.js'
import { spendRoutes } from './spend.js'
import { streamRoutes } from './streams.js'
import { teamRoutes } from './teams.js'

/** All routes. */
export function createAdminRoutes(context: AdminContext): AdminRoute[] {
  let document: JsonObject | null = null
  const routes: AdminRoute[] = [
    ...streamRoutes(context),
    ...requestRoutes(context),
    ...providerRoutes(context),
    ...keyRoutes(context),
    ...teamRoutes(context),
    ...spendRoutes(context),
    ...budgetRoutes(context),
    ...configurationRoutes(context),
    ...sessionRoutes(context),
    ...tryRoutes(context),
    adminRoute({
      method: 'GET',
      path: '/admin/v1/openapi.json',
      role: 'read',
      tag: 'Document',
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1', schema: Type.Object({}) } },
      act() {
        document ??= createAdminOpenApi(context.version(), routes)
        return { status: 200, body: document }
      },
    }),
  ]
  return routes
}
