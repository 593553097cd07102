// node provider.js PORT ADDRESS_OF_WORKLIST: an OpenID provider at which everybody may sign in, with any password.
import { Provider } from "oidc-provider";

const [port, worklist] = process.argv.slice(2);
const GROUPS = {
  olga: ["Staff", "Radiologists"], otto: ["Staff"], lena: ["Radiology leads"], ada: ["Radiologists", "IT"],
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "worklist",
    client_secret: "a-secret-of-the-tests",
    redirect_uris: [`${worklist}/sign-in/provider/answer`],
    post_logout_redirect_uris: [`${worklist}/sign-in`],
  }],
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"], email: ["email"] },
  cookies: { keys: ["only for tests"] },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({
      sub: `subject-of-${id}`, name: `${id[0].toUpperCase()}${id.slice(1)} Provided`, preferred_username: id,
      groups: GROUPS[id] ?? [],
    }),
  }),
});
provider.listen(port, "127.0.0.1", () => console.log("listening"));
