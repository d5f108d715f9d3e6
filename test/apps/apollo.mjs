// As its documentation has it for an app with subscriptions: beside Express, and graphql-ws on the same server.
import { ApolloServer } from "@apollo/server";
import { ApolloServerPluginDrainHttpServer } from "@apollo/server/plugin/drainHttpServer";
import { expressMiddleware } from "@as-integrations/express5";
import { makeExecutableSchema } from "@graphql-tools/schema";
import express from "express";
import { useServer } from "graphql-ws/use/ws";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { parts } from "./told.mjs";

const schema = makeExecutableSchema({
  typeDefs: `
    type Query { hello(name: String!): String! ip: String }
    type Mutation { json(value: Int!): Int! }
    type Subscription { stream: String! }
  `,
  resolvers: {
    Query: { hello: (_, { name }) => `hello ${name}`, ip: (_, __, { address }) => address },
    Mutation: { json: (_, { value }) => value },
    Subscription: { stream: { subscribe: () => parts(), resolve: (part) => part } },
  },
});
const app = express();
const httpServer = createServer(app);
const subscriptions = useServer(
  { schema },
  new WebSocketServer({ server: httpServer, path: "/graphql" }),
);
const server = new ApolloServer({
  schema,
  plugins: [
    ApolloServerPluginDrainHttpServer({ httpServer }),
    { serverWillStart: async () => ({ drainServer: () => subscriptions.dispose() }) },
  ],
});
await server.start();
app.use("/static", express.static(`${import.meta.dirname}/public`));
const context = async ({ req }) => ({ address: req.ip });
app.use("/graphql", express.json(), expressMiddleware(server, { context }));
httpServer.listen(process.env.PORT || 3000);
