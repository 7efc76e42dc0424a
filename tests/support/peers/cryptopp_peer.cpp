// Crypto++ as a peer: one command a line, its arguments in hexadecimal ("-" is empty); one answer a line, or "refused".
#include <cryptopp/aes.h>
#include <cryptopp/gcm.h>
#include <cryptopp/hex.h>
#include <cryptopp/hkdf.h>
#include <cryptopp/oaep.h>
#include <cryptopp/osrng.h>
#include <cryptopp/pssr.h>
#include <cryptopp/rsa.h>
#include <cryptopp/sha.h>

#include <iostream>
#include <sstream>
#include <string>

using namespace CryptoPP;
using std::string;

static string decoded(const string& hex) {
    string bytes;
    if (hex != "-") StringSource(hex, true, new HexDecoder(new StringSink(bytes)));
    return bytes;
}

static string encoded(const string& bytes) {
    string hex;
    StringSource(bytes, true, new HexEncoder(new StringSink(hex), false));
    return hex.empty() ? "-" : hex;
}

static const byte* at(const string& bytes) { return reinterpret_cast<const byte*>(bytes.data()); }

static string gcm(bool seal, const string& key, const string& nonce, const string& text, const string& associated) {
    string out;
    if (seal) {
        GCM<AES>::Encryption cipher;
        cipher.SetKeyWithIV(at(key), key.size(), at(nonce), nonce.size());
        AuthenticatedEncryptionFilter filter(cipher, new StringSink(out), false, 16);
        filter.ChannelPut(AAD_CHANNEL, at(associated), associated.size());
        filter.ChannelMessageEnd(AAD_CHANNEL);
        filter.ChannelPut(DEFAULT_CHANNEL, at(text), text.size());
        filter.ChannelMessageEnd(DEFAULT_CHANNEL);
        return out;
    }
    GCM<AES>::Decryption cipher;
    cipher.SetKeyWithIV(at(key), key.size(), at(nonce), nonce.size());
    if (text.size() < 16) throw Exception(Exception::INVALID_ARGUMENT, "short");
    const size_t body = text.size() - 16;
    out.resize(body);
    byte* target = reinterpret_cast<byte*>(&out[0]);
    if (!cipher.DecryptAndVerify(target, at(text) + body, 16, at(nonce), nonce.size(), at(associated),
                                 associated.size(), at(text), body))
        throw Exception(Exception::DATA_INTEGRITY_CHECK_FAILED, "tag");
    return out;
}

// A function and not a value: parameters that nobody has read throw when they go.
static AlgorithmParameters label(const string& bytes) {
    return MakeParameters(Name::EncodingParameters(), ConstByteArrayParameter(bytes, true));
}

static string answer(const string& verb, const string a[4]) {
    AutoSeededRandomPool random;
    if (verb == "gcm-seal" || verb == "gcm-open") return gcm(verb == "gcm-seal", a[0], a[1], a[2], a[3]);
    if (verb == "hkdf") {  // ikm, salt, info; 32 bytes
        string out(32, '\0');
        HKDF<SHA256>().DeriveKey(reinterpret_cast<byte*>(&out[0]), out.size(), at(a[0]), a[0].size(), at(a[1]),
                                 a[1].size(), at(a[2]), a[2].size());
        return out;
    }
    StringSource der(a[0], true);
    if (verb == "oaep-seal") {
        RSAES<OAEP<SHA256>>::Encryptor rsa;
        rsa.AccessKey().Load(der);
        string out(rsa.CiphertextLength(a[1].size()), '\0');
        rsa.Encrypt(random, at(a[1]), a[1].size(), reinterpret_cast<byte*>(&out[0]), label(a[2]));
        return out;
    }
    if (verb == "oaep-open") {
        RSAES<OAEP<SHA256>>::Decryptor rsa;
        rsa.AccessKey().Load(der);
        string out(rsa.MaxPlaintextLength(a[1].size()), '\0');
        const auto result = rsa.Decrypt(random, at(a[1]), a[1].size(), reinterpret_cast<byte*>(&out[0]), label(a[2]));
        if (!result.isValidCoding) throw Exception(Exception::DATA_INTEGRITY_CHECK_FAILED, "padding");
        out.resize(result.messageLength);
        return out;
    }
    if (verb == "pss-sign") {
        RSASS<PSS, SHA256>::Signer rsa;
        rsa.AccessKey().Load(der);
        string out(rsa.SignatureLength(), '\0');
        rsa.SignMessage(random, at(a[1]), a[1].size(), reinterpret_cast<byte*>(&out[0]));
        return out;
    }
    if (verb == "pss-verify") {
        RSASS<PSS, SHA256>::Verifier rsa;
        rsa.AccessKey().Load(der);
        if (!rsa.VerifyMessage(at(a[1]), a[1].size(), at(a[2]), a[2].size()))
            throw Exception(Exception::DATA_INTEGRITY_CHECK_FAILED, "signature");
        return string(1, 1);
    }
    throw Exception(Exception::NOT_IMPLEMENTED, verb);
}

int main() {
    string line, verb, word;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        string arguments[4];
        words >> verb;
        for (int i = 0; i < 4 && words >> word; i++) arguments[i] = decoded(word);
        try {
            std::cout << encoded(answer(verb, arguments)) << std::endl;
        } catch (const Exception&) {
            std::cout << "refused" << std::endl;
        }
    }
}
