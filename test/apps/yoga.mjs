import { createSchema, createYoga } from "graphql-yoga";
import { createServer } from "node:http";
import sirv from "sirv";
import { parts } from "./told.mjs";

const yoga = createYoga({
  logging: false,
  schema: createSchema({
    typeDefs: `
      type Query { hello(name: String!): String! ip: String }
      type Mutation { json(value: Int!): Int! }
      type Subscription { stream: String! }
    `,
    resolvers: {
      Query: {
        hello: (_, { name }) => `hello ${name}`,
        ip: (_, __, { req }) => req.socket.remoteAddress,
      },
      Mutation: { json: (_, { value }) => value },
      Subscription: { stream: { subscribe: () => parts(), resolve: (part) => part } },
    },
  }),
});
const files = sirv(`${import.meta.dirname}/public`);
createServer((req, res) => {
  if (req.url.startsWith(yoga.graphqlEndpoint)) void yoga(req, res);
  else files(req, res);
}).listen(process.env.PORT || 3000);
